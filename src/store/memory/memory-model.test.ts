/** The memory store answers as the model does. */
import { sized } from '../../../test/support/size.ts'
import { storeModel } from '../../testing/model/index.ts'
import { memory } from './memory.ts'

storeModel('memory', async () => ({ factory: memory() }), { runs: sized(200, 80) })
