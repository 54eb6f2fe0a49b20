/** The time at which a reaction's command is decided, in a cluster. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, memory, reaction, reject } from '../../src/index.ts'
import type { ProjectionStep } from '../../src/store/store.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { LocalNetwork } from '../support/cluster/local-network.ts'
import { clusterOn, settled } from '../support/cluster/vaults.ts'
import { until } from '../support/kernel/rig.ts'

test('The owner of an aggregate decides a command of a reaction at the time that its sender keeps', async (t) => {
  const Opened = event('Opened', z.object({}))
  const Sold = event('Sold', z.object({}))
  const Ended = event('Ended', z.object({ isSold: z.boolean() }))
  const Order = aggregate('order', () => ({}))
    .on(Opened)
    .on(Ended)
    .command('open', z.object({}), () => Opened({}))
    .command('end', z.object({ isSold: z.boolean() }), (_, data) => Ended(data))
  const Offer = aggregate('offer', () => ({}))
    .on(Sold)
    .command('sell', z.object({}), (_, __, { now }) => (now.getTime() < noonMs ? Sold({}) : reject('Closed')))
  const Selling = reaction('selling', { order: Order, offer: Offer }).on(
    Opened,
    async ({ stream: { id } }, { dispatch }) => {
      const { accepted } = await dispatch({ aggregate: 'offer', id, name: 'sell', data: {} })
      await dispatch({ aggregate: 'order', id, name: 'end', data: { isSold: accepted } })
    },
  )
  const Shop = domain({ aggregates: { order: Order, offer: Offer }, reactions: { selling: Selling } })
  const network = new LocalNetwork()
  const store = memory()
  const kept = new Map<string, number>()
  const watched = faultyStore(store, ({ method, args }) => {
    const rows = method === 'saveStep' ? (args[1] as ProjectionStep).rows : []
    for (const { key, value } of rows) {
      const { decidedAt } = (value ?? {}) as { decidedAt?: number }
      if (decidedAt !== undefined) kept.set(JSON.parse(key.slice(key.indexOf(':') + 1))[2], decidedAt)
    }
    return undefined
  })
  const noonMs = 5000
  // The clock of one member is before noon, the other one's after it.
  const times = [noonMs - 1, noonMs]
  const members = await Promise.all(
    times.map((nowMs) =>
      Shop.start({
        store: watched,
        log: { warn() {} },
        environment: { now: () => nowMs },
        cluster: clusterOn(network, 60_000),
      }),
    ),
  )
  t.after(() => Promise.all(members.map((member) => member.stop())))
  await settled(members)
  const ids = Array.from({ length: 20 }, (_, i) => `order ${i}`)
  for (const id of ids) await members[0]!.order(id).open()
  const eventsOf = (id: string) => Array.fromAsync(members[0]!.order(id).history())
  for (const id of ids) await until(`${id} has ended`, async () => (await eventsOf(id)).length === 2)
  // The time is that of the member that decided, and the answer is the one of that time.
  assert.deepEqual(new Set(kept.values()), new Set(times))
  for (const id of ids) assert.deepEqual((await eventsOf(id))[1]!.data, { isSold: kept.get(id)! < noonMs }, id)
})
