import assert from 'node:assert/strict'
import { test } from 'node:test'
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
