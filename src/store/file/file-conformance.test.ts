/** The file store keeps the whole contract. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeConformance } from '../../testing/conformance/index.ts'
import { file } from './index.ts'

storeConformance(
  'file',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mneme-file-'))
    return {
      factory: file(join(directory, 'store')),
      cleanUp: () => rm(directory, { recursive: true }),
    }
  },
  { severalWriters: false, transactions: false },
)
