/** A test fakes the timers after the library was loaded, and does not advance them. A domain works on any store. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, projection, reaction } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const Counted = event('Counted', z.object({ n: z.int() }))
const Pot = aggregate('pot', () => ({ sum: 0 }))
  .on(Counted, ({ sum }, { n }) => ({ sum: sum + n }))
  .command('count', z.object({ times: z.int() }), (_, { times }) =>
    Array.from({ length: times }, () => Counted({ n: 1 })),
  )
const aggregates = { pot: Pot }
const Sums = projection('sums', () => ({ sum: 0 }))
  .on(Counted, ({ sum }, { n }) => ({ sum: sum + n }))
  .by(({ stream }) => stream.id)
const Handled = projection('handled').handle([Counted], async () => {})
const Copying = reaction('copying', aggregates).on(Counted, async ({ stream: { id } }, { dispatch }) => {
  if (id === 'first') await dispatch({ aggregate: 'pot', id: 'copy', name: 'count', data: { times: 1 } })
})
const Pots = domain({ aggregates, projections: { sums: Sums, handled: Handled }, reactions: { copying: Copying } })

/**
 * What the fakers of other test runners do to the globals: nothing goes off, and no time passes. Gives what ends it.
 */
function stopTime(context: TestContext, store: string): () => void {
  const never = () => ({ unref: () => undefined, ref: () => undefined })
  const [date, elapsed] = [Date.now(), performance.now()]
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'] as const) {
    // Their drivers ask the globals each time, and cannot do without this one.
    if (name === 'queueMicrotask' && (store === 'mongodb' || store === 'nats')) continue
    context.mock.method(globalThis, name, never as never)
  }
  context.mock.method(Date, 'now', () => date)
  context.mock.method(performance, 'now', () => elapsed)
  return () => context.mock.restoreAll()
}

function fakeByNode({ mock: { timers } }: TestContext): () => void {
  timers.enable()
  return () => timers.reset()
}

async function useAll(store: StoreFactory): Promise<void> {
  const pots = await Pots.start({ store, passivateAfterMs: 1 })
  await pots.pot('first').count({ times: 2 })
  for (let i = 0; i < 6; i++) await pots.pot('many').count({ times: 1000 })
  const { position } = await pots.pot('last').count({ times: 1 })
  assert.deepEqual(await pots.sums.get('many', { atLeast: position }), { sum: 6000 })
  let copies = 0
  for await (const { stream } of pots.events({ types: ['Counted'] })) {
    if (stream.id === 'copy' && ++copies === 2) break
  }
  assert.equal((await pots.pot('many').state()).sum, 6000)
  assert.equal((await pots.pot('many').state({ sequence: 5000 })).sum, 5000)
  await pots.projections.pause('handled')
  await pots.stop()
}

/** Who waits for a server to start needs timers. */
const allServersRun = Promise.withResolvers<void>()

await onEveryStore('Faked timers', ({ name, place }) => {
  for (const [what, fake] of Object.entries({ 'stand still': stopTime, 'are those of node:test': fakeByNode })) {
    test(`that ${what} hold up nothing`, { timeout: 600_000 }, async (context) => {
      const store = await place(context)
      await allServersRun.promise
      const restore = fake(context, name)
      try {
        await useAll(store)
      } finally {
        restore()
      }
    })
  }
})

allServersRun.resolve()
