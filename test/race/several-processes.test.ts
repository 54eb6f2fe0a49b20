/** Processes that write to one SQLite file, and processes that follow it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { raceProcesses } from '../support/race/process-race.ts'
import { withSeed } from '../support/seed.ts'
import { sized } from '../support/size.ts'

const timeoutMs = 1_000_000

for (const writerProcesses of [4, 2].slice(0, sized(2, 1))) {
  const title = `${writerProcesses} processes that write to one SQLite file and 2 that follow it lose, double and tear nothing`
  test(title, { timeout: timeoutMs + 10_000 }, async (context) => {
    const directory = await mkdtemp(join(tmpdir(), 'mneme-race-'))
    context.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
    const place = { store: 'sqlite', path: join(directory, 'log.db') } as const
    const options = {
      events: sized(10_000, 2_000),
      writerProcesses,
      readerProcesses: 2,
      eventsOfCommitMax: 5,
      timeoutMs,
    }
    await withSeed((random) => raceProcesses(context, place, options, random))
  })
}
