/**
 * A checkpoint without what is stored beside it, or the other way round. A person who wants rows to be built again may
 * delete one of both by hand, and a restored copy may lack it. The next step would count events twice, or answer from
 * rows that are missing. That is damage of the store, until the projection is built again or reset.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, projection, reaction } from '../../src/index.ts'
import type { Row, Store, StoreFactory } from '../../src/store/store.ts'
import { at } from '../../src/testing/checkpoint-at.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const Paid = event('Paid', z.object({ amount: z.number() }))
const Pot = aggregate('pot', () => ({}))
  .on(Paid)
  .command('pay', z.object({ amount: z.number() }), (_, data) => Paid(data))
const Sums = projection('sums', () => ({ sum: 0 })).on(Paid, ({ sum }, { amount }) => ({ sum: sum + amount }))

function program() {
  const seen: number[] = []
  const Code = projection('code').handle([Paid], (events) => void seen.push(...events.map(({ data }) => data.amount)))
  const Follow = reaction('follow', { pot: Pot }).on(Paid, ({ data }) => void seen.push(data.amount))
  const all = domain({
    aggregates: { pot: Pot },
    projections: { sums: Sums, code: Code },
    reactions: { follow: Follow },
  })
  return { all, seen }
}

type Running = Awaited<ReturnType<ReturnType<typeof program>['all']['start']>>

const runs: Readonly<Record<string, (running: Running) => Promise<unknown>>> = {
  sums: ({ projections }) => projections.runOnce('sums'),
  code: ({ projections }) => projections.runOnce('code'),
  follow: ({ reactions }) => reactions.runOnce('follow'),
}

/** Leaves only the rows or only the checkpoint of a name. */
async function leave(store: Store, name: string, left: 'rows' | 'checkpoint'): Promise<void> {
  const { rows } = await store.listRows(name, { limit: Number.POSITIVE_INFINITY })
  assert.ok(rows.length > 0)
  if (left === 'rows') {
    await store.resetProjection(name)
    return store.saveStep(name, { from: at(0), to: at(0), rows })
  }
  const gone = rows.map(({ key }): Row => ({ key, value: undefined }))
  const from = await store.loadCheckpoint(name)
  await store.saveStep(name, { from, to: from, rows: gone })
}

async function filled(factory: StoreFactory): Promise<void> {
  await using running = await program().all.start({ store: factory, projections: 'manual' })
  for (const amount of [1, 2]) await running.pot('a').pay({ amount })
  for (const run of Object.values(runs)) await run(running)
}

await onEveryStore('What is stored by halves', ({ place }) => {
  for (const [left, words] of [
    ['rows', /the checkpoint of .*: it is gone/],
    ['checkpoint', /the rows of .*: they are gone/],
  ] as const) {
    test(`is refused if only the ${left} is left, until it is built again or reset`, async (context) => {
      const factory = await place(context)
      await filled(factory)
      const store = await factory.open({ now: () => 0, warn: () => {} })
      try {
        for (const storage of ['sums', 'code', 'reaction follow']) await leave(store, storage, left)
      } finally {
        await store.close()
      }
      const { all, seen } = program()
      await using running = await all.start({ store: factory, projections: 'manual' })
      for (const run of Object.values(runs))
        await assert.rejects(run(running), { code: 'STORE_CORRUPT', message: words })
      await running.projections.rebuild('sums')
      await running.projections.reset('code', { from: 1 })
      await running.reactions.reset('follow', { from: 1 })
      for (const run of Object.values(runs)) await run(running)
      assert.equal((await running.sums.get('a'))?.sum, 3)
      assert.deepEqual(seen, [1, 2, 1, 2])
    })
  }
})
