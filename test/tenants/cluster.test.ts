/** Tenants spread over the members of a cluster, on every store that several processes can share. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { cluster } from '../../src/cluster/index.ts'
import { shardOfTenant } from '../../src/cluster/tenants/catalog.ts'
import { type StoreFactory, tenants } from '../../src/index.ts'
import { secret } from '../support/cluster/vaults.ts'
import { recorder, until } from '../support/kernel/rig.ts'
import { leftOut } from '../support/size.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'
import { counted, Pots } from './pots.ts'

const names = Array.from({ length: 5 }, (_, i) => `tenant ${i}`)
/** Tenants that are read before their home has opened them. Reads go to the store, so it need not. */
const readFirst = leftOut === undefined ? ['read first'] : []

await onEveryStore('Tenants of a cluster', ({ place, severalWriters }) => {
  const testHere = testWhere(severalWriters)

  testHere('live in one member each, whichever is called, and move when one leaves', async (t) => {
    const catalog = await place(t)
    const places = new Map(
      await Promise.all([...names, ...readFirst].map(async (name) => [name, await place(t)] as const)),
    )
    const members = [member(t, catalog, places), member(t, catalog, places)] as const
    const [one, other] = members
    await Promise.all(members.map(({ banks }) => banks.cluster.join()))
    await until('both are members', async () => {
      const statuses = await Promise.all(members.map(({ banks }) => banks.cluster.status()))
      return statuses.every((status) => status.members.length === 2)
    })
    const { self, owners } = await one.banks.cluster.status()
    for (const name of names) {
      const isHere = owners['pot']![shardOfTenant(name)] === self
      const [home, guest] = isHere ? [one, other] : [other, one]
      await home.banks.get(name).pot('a').put({ amount: 1 })
      await until('the home runs all', async () =>
        (await statesOf(home.banks.get(name))).every((it) => it === 'running'),
      )
      await guest.banks.get(name).pot('a').put({ amount: 1 })
      await until('the guest waits', async () =>
        (await statesOf(guest.banks.get(name))).every((it) => it === 'standby'),
      )
      const { commandsForwarded } = await guest.banks.get(name).cluster.status()
      assert.ok(commandsForwarded > 0)
    }
    for (const name of readFirst) {
      const isHere = owners['pot']![shardOfTenant(name)] === self
      const [home, guest] = isHere ? [one, other] : [other, one]
      const runs = async (of: typeof one) => (await statesOf(of.banks.get(name))).every((it) => it === 'running')
      await guest.banks.use(name, async () => {
        await until('the guest runs all', () => runs(guest))
        await until('the home has got all', () => runs(home))
      })
    }
    await other.banks.get(names[0]!).pot('a').ask({ afterMs: 50 })
    await one.banks.get(names[1]!).pot('a').ask({ afterMs: 50 })
    for (const name of names.slice(0, 2)) {
      await until('the scheduled command is stored', async () => {
        const { state } = await one.banks.get(name).pot('a').read()
        return state.sum === 1002
      })
    }
    await one.banks.stop()
    assert.equal(one.stores.open, 0)
    for (const name of names) {
      const { sequence, position } = await other.banks.get(name).pot('a').put({ amount: 1 })
      assert.ok(sequence === 3 || sequence === 5)
      assert.equal((await other.banks.get(name).sums.get('a', { atLeast: position }))!.sum % 10, 3)
    }
    await until('one is left', async () => (await other.banks.cluster.status()).members.length === 1)
    assert.deepEqual([...one.log.codes(), ...other.log.codes()], [])
  })
})

type Banks = ReturnType<typeof member>['banks']

/** What a member does of a tenant's own work. */
async function statesOf({ projections, reactions }: ReturnType<Banks['get']>): Promise<readonly string[]> {
  const statuses = await Promise.all([projections.status('sums'), reactions.status('later')])
  return statuses.map(({ state }) => state)
}

function member(t: TestContext, catalog: StoreFactory, places: ReadonlyMap<string, StoreFactory>) {
  const stores = { open: 0, most: 0, closed: 0, stored: 0 }
  const log = recorder()
  const banks = tenants(Pots, {
    start: (_, tenant) => ({ store: counted(places.get(tenant)!, stores), leaseMs: 20_000, pollIntervalMs: 100 }),
    cluster: cluster({ address: '127.0.0.1:0', secret, leaseMs: 20_000 }),
    catalog,
    log,
  })
  t.after(() => banks.stop())
  return { banks, stores, log }
}
