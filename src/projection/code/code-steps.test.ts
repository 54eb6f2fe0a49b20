/** A projection as code in a store without transactions: its batches and its checkpoint. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, memory, projection } from '../../index.ts'

const Raised = event('Raised', z.object({ n: z.number() }))
const Counter = aggregate('counter', () => 0)
  .on(Raised)
  .command('raise', z.object({ n: z.number() }), (_, data) => Raised(data))

function started(store: ReturnType<typeof memory>, seen: number[][], failsAt?: number) {
  const Code = projection('code')
    .handle([Raised], async (events) => {
      seen.push(events.map(({ data }) => data.n))
      if (events.some(({ data }) => data.n === failsAt)) throw new RangeError(`${failsAt}`)
    })
    .onFailure({ retries: 0 })
  const definition = domain({ aggregates: { counter: Counter }, projections: { code: Code } })
  return definition.start({ store, projections: 'manual' })
}

test('the handler gets events in the order of the log, each once, and none again after a restart', async () => {
  const store = memory()
  const seen: number[][] = []
  for (const _ of [1, 2]) {
    await using running = await started(store, seen)
    await running.counter('a').raise({ n: seen.length * 2 + 1 })
    await running.counter('b').raise({ n: seen.length * 2 + 2 })
    await running.projections.runOnce('code')
  }
  assert.deepEqual(seen.flat(), [1, 2, 3, 4])
})

test('if the handler throws, it gets the batch again, from the checkpoint on', async () => {
  const store = memory()
  const seen: number[][] = []
  {
    await using failing = await started(store, seen, 2)
    await failing.counter('a').raise({ n: 1 })
    await failing.projections.runOnce('code')
    await failing.counter('a').raise({ n: 2 })
    await assert.rejects(failing.projections.runOnce('code'), { code: 'PROJECTION_FAILED' })
  }
  await using running = await started(store, seen)
  await running.projections.runOnce('code')
  assert.deepEqual(seen[0], [1])
  assert.deepEqual(seen.at(-1), [2])
})
