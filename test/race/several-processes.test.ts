/** Processes that write to one SQLite file, and processes that follow it: 100,000 events each time. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { type Chance, withChance } from '../crash/chance.ts'
import { ChildProgram } from '../crash/child-program.ts'
import { checkRace, type Seen } from './outcome.ts'
import { type Written, writerNames } from './race.ts'
import type { FromWorker, ToWorker } from './race-worker.ts'
import { tails } from './tail.ts'

const events = 100_000
const timeoutMs = 200_000
const workerProgram = new URL('./race-worker.ts', import.meta.url)

for (const processes of [2, 4]) {
  const title = `${processes} processes that write to one SQLite file and 2 that follow it lose, double and tear nothing`
  test(title, { timeout: timeoutMs + 10_000 }, (context) => withChance((chance) => race(context, processes, chance)))
}

async function race(context: TestContext, processes: number, chance: Chance): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-race-'))
  const workers: ChildProgram[] = []
  context.after(async () => {
    for (const worker of workers) worker.kill()
    await Promise.allSettled(workers.map(({ ended }) => ended))
    await rm(directory, { recursive: true, force: true })
  })
  const path = join(directory, 'log.db')
  const written: Written[] = []
  const seen: Seen[] = []
  const hear = (said: FromWorker): void => {
    if (said.say === 'written') written.push(...said.written)
    if (said.say === 'seen') seen.push(...said.seen)
  }
  const start = (begin: ToWorker): ChildProgram => {
    const worker = new ChildProgram(workerProgram, (line) => hear(JSON.parse(line)), timeoutMs)
    worker.send(begin)
    workers.push(worker)
    return worker
  }

  const readers = [tails.slice(0, 3), tails.slice(3)].map((some) => start({ tell: 'read', path, tails: some }))
  const writers = Array.from({ length: processes }, (_, process) => {
    const names = writerNames.filter((_, i) => i % processes === process)
    const share = events / writerNames.length
    return start({ tell: 'write', path, writers: names, events: share, seed: chance.between(0, 2 ** 31) })
  })
  const reading = Promise.all(readers.map((reader) => reader.endedWell()))
  const writing = Promise.all(writers.map((writer) => writer.endedWell()))
  // A reader that fails ends the test, and with it the writers.
  await Promise.race([writing, reading.then(() => writing)])
  for (const reader of readers) reader.send({ tell: 'end', position: events } satisfies ToWorker)
  await reading
  assert.equal(written.length, writerNames.length)
  assert.equal(seen.length, tails.length)
  const store = await sqlite(path).open({ warn: () => {}, now: Date.now })
  try {
    await checkRace(store, events, written, seen)
  } finally {
    await store.close()
  }
}
