/** Members share projections, reactions and singletons, and take over those of a member that is gone. */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { cluster } from '../../src/cluster/index.ts'
import { aggregate, domain, event, projection, type StoreFactory } from '../../src/index.ts'
import { secret } from '../support/cluster/vaults.ts'
import { until } from '../support/kernel/rig.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const Put = event('Put', z.object({ amount: z.number() }))
const Purse = aggregate('purse', () => 0)
  .on(Put, (total, { amount }) => total + amount)
  .command('put', z.object({ amount: z.number() }), (_, data) => Put(data))
const totals = <const Name extends string>(name: Name) =>
  projection(name, () => ({ total: 0 })).on(Put, ({ total }, { amount }) => ({ total: total + amount }))
const Purses = domain({
  aggregates: { purse: Purse },
  projections: { one: totals('one'), two: totals('two'), three: totals('three'), four: totals('four') },
})
const names = ['one', 'two', 'three', 'four'] as const
const start = (store: StoreFactory) =>
  Purses.start({
    ...{ store, log: { warn() {} }, leaseMs: 1500, pollIntervalMs: 60 },
    cluster: cluster({ address: '127.0.0.1:0', secret, leaseMs: 1000 }),
  })
type Member = Awaited<ReturnType<typeof start>>

/** The projections that a member leads. */
async function ledBy(member: Member): Promise<readonly string[]> {
  const statuses = await Promise.all(names.map((name) => member.projections.status(name)))
  return statuses.filter(({ state }) => state === 'running').map(({ name }) => name)
}

await onEveryStore('Members of a cluster', ({ place, severalWriters }) => {
  const testHere = testWhere(severalWriters)

  testHere('share projections and singletons, and lose no event when they change places', async (t) => {
    const store = await place(t)
    const members = [await start(store)]
    const [first] = members as [Member]
    await until('the first leads all', async () => (await ledBy(first)).length === 4)
    let isOver = false
    let sent = 0
    const sending = (async () => {
      for (; !isOver; sent++) await first.purse('p').put({ amount: 1 })
    })()
    // If the test fails, it must not send for ever.
    t.after(async () => {
      isOver = true
      await Promise.allSettled([sending, ...members.map((member) => member.stop())])
    })
    const second = await start(store)
    members.push(second)
    // On a busy machine a member may be removed from the view for a while, because it did not renew its lease in time.
    await until('each leads the two that the view says', async () => {
      const { members: shown } = first.cluster.status()
      for (const member of [first, second]) {
        const { follows = [] } = shown.find(({ id }) => id === member.cluster.status().self) ?? {}
        const led = await ledBy(member)
        if (led.length !== 2 || !isDeepStrictEqual([...follows].sort(), [...led].sort())) return false
      }
      return true
    })
    let atWork = 0
    const works = [first, second].map((member) =>
      member.cluster.singleton('work', async (signal) => {
        assert.equal(++atWork, 1)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        atWork--
      }),
    )
    await until('one works', () => works.some(({ isHere }) => isHere))
    isOver = true
    await sending
    await first.stop()
    assert.equal(works[0]!.isHere, false)
    await until('the second works', () => works[1]!.isHere)
    await until('the second leads all', async () => (await ledBy(second)).length === 4)
    for (const name of names) {
      const row = await second[name].get('p', { atLeast: await second.head() })
      assert.equal(row!.total, sent)
    }
    await second.stop()
    assert.equal(atWork, 0)
  })
})
