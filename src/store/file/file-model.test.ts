/** The file store answers as the model does. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sized } from '../../../test/support/size.ts'
import { storeModel } from '../../testing/model/index.ts'
import { file } from './index.ts'

storeModel(
  'file',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mneme-file-'))
    const factory = file(directory, { segmentBytesMax: 1000, mayLoseOnPowerFailure: true })
    return { factory, cleanUp: () => rm(directory, { recursive: true }) }
  },
  { runs: sized(40, 15), severalWriters: false },
)
