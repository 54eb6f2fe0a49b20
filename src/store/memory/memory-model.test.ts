/** The memory store answers as the model does. */
import { storeModel } from '../../testing/model/index.ts'
import { memory } from './memory.ts'

storeModel('memory', async () => ({ factory: memory() }), { runs: 200 })
