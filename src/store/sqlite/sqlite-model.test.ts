/** The SQLite store answers as the model does. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sized } from '../../../test/support/size.ts'
import { storeModel } from '../../testing/model/index.ts'
import { sqlite } from './index.ts'

storeModel(
  'sqlite',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mneme-sqlite-'))
    return { factory: sqlite(join(directory, 'log.db')), cleanUp: () => rm(directory, { recursive: true }) }
  },
  { runs: sized(60, 12) },
)
