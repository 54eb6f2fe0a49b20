/** The memory store keeps the whole contract. */
import { storeConformance } from '../../testing/conformance/index.ts'
import { memory } from './memory.ts'

storeConformance('memory', async () => ({ factory: memory() }), { transactions: false })
