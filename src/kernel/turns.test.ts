/** Turns: how long they last, and how one that is not used ends. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memory } from '../index.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { lossesBeforeTurn, Turns } from './turns.ts'

test('a reservation lasts longer after each loss, since a slow store may need longer to append than it lasted', async () => {
  const asked: number[] = []
  const store = {
    reserve: async (streams: readonly unknown[], _writer: string, durationMs: number) => {
      asked.push(durationMs)
      return streams.map(() => true)
    },
  }
  const turns = new Turns(store, manualEnvironment(), 'writer')
  const stream = { aggregate: 'account', id: 'ada' }
  // Without a loss of its own, it waits for a stream that is reserved for another process.
  for (const losses of [0, lossesBeforeTurn, lossesBeforeTurn + 1, lossesBeforeTurn + 2, lossesBeforeTurn + 8]) {
    assert.equal(await turns.take(stream, () => true, losses), true)
  }
  assert.deepEqual(asked, [1000, 1000, 2000, 4000, 8000])
})

test('a turn that is given back is over at once, and not only when its time is over', async () => {
  const environment = manualEnvironment()
  const store = await memory().open({ now: environment.now, warn() {} })
  const stream = { aggregate: 'account', id: 'ada' }
  const turns = new Turns(store, environment, 'writer')
  assert.equal(await turns.take(stream, () => true, 0), true)
  assert.deepEqual(await store.reserve([stream], 'other', 1000), [false])
  turns.giveBack(stream)
  await environment.advance(1)
  assert.deepEqual(await store.reserve([stream], 'other', 1000), [true])
})

test('after the stop nobody waits for a turn any more, and no timer is left', async () => {
  const environment = manualEnvironment()
  const over = new AbortController()
  const store = { reserve: async (streams: readonly unknown[]) => streams.map(() => false) }
  const turn = new Turns(store, environment, 'writer', over.signal).take({ aggregate: 'a', id: 'b' }, () => true, 0)
  await environment.advance(20)
  assert.equal(environment.timers, 1)
  over.abort()
  assert.equal(await turn, false)
  assert.equal(environment.timers, 0)
})
