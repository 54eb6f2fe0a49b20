/** All targets of `npm run fuzz`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memory } from '../../../src/index.ts'
import { file } from '../../../src/store/file/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import { apiTarget } from './api-target.ts'
import { encodingTarget } from './encoding-target.ts'
import { forgedLines, movedLines } from './file-target.ts'
import type { FuzzTarget } from './fuzz-target.ts'
import { questionsTarget } from './questions-target.ts'
import { forgedRows } from './sqlite-target.ts'
import { storedTarget } from './stored-target.ts'

/** Does something with all targets, and removes what they have made. */
export async function withTargets(use: (targets: readonly FuzzTarget[]) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-fuzz-'))
  let count = 0
  const places = {
    memory: async () => memory(),
    file: async () => file(join(folder, `${++count}`)),
    sqlite: async () => sqlite(join(folder, `${++count}.db`)),
  }
  const api = (['cursors', 'calls'] as const).map(apiTarget)
  const questions = Object.entries(places).map(([name, place]) => questionsTarget(name, place))
  const stored = Object.entries(places).map(([name, place]) => storedTarget(name, place))
  try {
    await use([encodingTarget, ...api, ...questions, ...stored, forgedLines, movedLines, forgedRows(folder)])
  } finally {
    for (const each of [...api, ...questions]) await each[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
}
