/** The conformance kit on files of the SQLite store. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeConformance } from '../../testing/conformance/index.ts'
import { sqlite } from './index.ts'

storeConformance('sqlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-sqlite-'))
  return { factory: sqlite(join(directory, 'log.db')), cleanUp: () => rm(directory, { recursive: true }) }
})
