/** Holds the log of a race against what its writers say they have stored and its readers say they have seen. */
import assert from 'node:assert/strict'
import { foldAll, type Store, type StoredEvent } from '../../../src/index.ts'
import { LogCheck } from './log-check.ts'
import { streams, type Written } from './race.ts'
import { seenBy, type TailOptions } from './tail.ts'

/** What a reader has seen. */
export interface Seen {
  readonly options: TailOptions
  readonly count: number
}

/** Fails unless the log holds exactly what was written, in order, and every reader has seen its part of it. */
export async function checkRace(
  store: Store,
  events: number,
  written: readonly Written[],
  seen: readonly Seen[],
): Promise<void> {
  const logCheck = new LogCheck()
  const log = await foldAll(store, [] as StoredEvent[], (all, event) => {
    logCheck.see(event)
    all.push(event)
    return all
  })
  logCheck.end()
  assert.equal(log.length, events)
  assert.equal(await store.head(), events)
  const expected = streams.map(({ id }) => [id, written.reduce((sum, { eventsOf }) => sum + (eventsOf[id] ?? 0), 0)])
  assert.deepEqual(logCheck.counts, Object.fromEntries(expected), 'every stream has what its writers stored in it')
  for (const { options, count } of seen) {
    assert.equal(
      count,
      seenBy(options, log),
      `the reader has seen all that it should, once: ${JSON.stringify(options)}`,
    )
  }
  const conflicts = written.reduce((sum, each) => sum + each.conflicts, 0)
  assert.ok(conflicts > 0, 'writers got in each other’s way')
}
