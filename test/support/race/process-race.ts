/**
 * A race between processes on one store: some that write, others that follow the log, and the look at what came of it.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { ChildProgram } from '../../../src/testing/crash/child-program.ts'
import type { Random } from '../../../src/testing/random.ts'
import { storeAt } from '../crash/place.ts'
import type { Place } from '../crash/writer-protocol.ts'
import { checkRace, type Seen } from './outcome.ts'
import { type Written, writerNames } from './race.ts'
import type { FromWorker, ToWorker } from './race-worker.ts'
import { tails } from './tail.ts'

export interface RaceOptions {
  /** All together. */
  readonly events: number
  readonly writerProcesses: number
  readonly readerProcesses: number
  readonly eventsOfCommitMax: number
  /** No reader reads fewer events at once, where a page costs much. */
  readonly pageSizeMin?: number
  readonly timeoutMs: number
}

const workerProgram = new URL('./race-worker.ts', import.meta.url)

/** Runs a race to its end, and fails at the first sign that anything was lost, doubled, torn or skipped. */
export async function raceProcesses(
  context: TestContext,
  place: Place,
  { events, writerProcesses, readerProcesses, eventsOfCommitMax, pageSizeMin = 1, timeoutMs }: RaceOptions,
  random: Random,
): Promise<void> {
  const workers: ChildProgram[] = []
  context.after(async () => {
    for (const worker of workers) worker.kill()
    await Promise.allSettled(workers.map(({ ended }) => ended))
  })
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

  const ways = tails.map((tail) => ({ ...tail, limit: Math.max(tail.limit, pageSizeMin) }))
  const readers = dealt(ways, readerProcesses).map((some) => start({ tell: 'read', place, tails: some }))
  const writers = dealt(writerNames, writerProcesses).map((names) => {
    const seed = random.int(0, 2 ** 31)
    const share = events / writerNames.length
    return start({ tell: 'write', place, writers: names, events: share, seed, eventsOfCommitMax })
  })
  const reading = Promise.all(readers.map((reader) => reader.endedWell()))
  const writing = Promise.all(writers.map((writer) => writer.endedWell()))
  // A reader that fails ends the test, and with it the writers.
  await Promise.race([writing, reading.then(() => writing)])
  for (const reader of readers) reader.send({ tell: 'end', position: events } satisfies ToWorker)
  await reading
  assert.equal(written.length, writerNames.length)
  assert.equal(seen.length, tails.length)
  const store = await storeAt(place).open({ warn: () => {}, now: Date.now })
  try {
    await checkRace(store, events, written, seen)
  } finally {
    await store.close()
  }
}

/** Things dealt to so many hands. */
function dealt<Thing>(things: readonly Thing[], hands: number): readonly (readonly Thing[])[] {
  return Array.from({ length: hands }, (_, hand) => things.filter((_, i) => i % hands === hand))
}
