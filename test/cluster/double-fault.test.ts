/** A member stops, and the only other one is lost meanwhile: nobody is left to give its commands to. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { cluster } from '../../src/cluster/index.ts'
import { shardOfTenant } from '../../src/cluster/tenants/catalog.ts'
import { TenantsNode } from '../../src/cluster/tenants/tenants-node.ts'
import { hasCode, memory, type StoreFactory, tenants } from '../../src/index.ts'
import { type Fault, faultyStore } from '../../src/testing/faulty-store.ts'
import { LocalNetwork } from '../support/cluster/local-network.ts'
import { clusterOn, type Member, secret, settled, startMember, Vaults } from '../support/cluster/vaults.ts'
import { until } from '../support/kernel/rig.ts'

const ids = Array.from({ length: 12 }, (_, i) => `vault ${i}`)

/** Two members. The appends of both can be held, and the one that stays can be killed. */
async function two(context: TestContext) {
  const network = new LocalNetwork()
  const store = memory()
  const gates = new Map<'staying' | 'leaving', Promise<void>>()
  let isDead = false
  let appends = 0
  const slow = (who: 'staying' | 'leaving') =>
    faultyStore(store, ({ method }): Fault | undefined => {
      if (isDead && who === 'staying') return 'before'
      if (method !== 'append') return undefined
      if (who === 'leaving') appends++
      return gates.get(who)
    })
  const staying = await startMember(slow('staying'), { cluster: clusterOn(network, 60_000) })
  const leaving = await startMember(slow('leaving'), { cluster: clusterOn(network, 60_000) })
  context.after(() => {
    isDead = false
    network.mend()
    return Promise.all([staying.stop(), leaving.stop()])
  })
  await settled([staying, leaving])
  /** @returns ends the hold */
  const hold = (who: 'staying' | 'leaving') => {
    const gate = Promise.withResolvers<void>()
    gates.set(who, gate.promise)
    return () => {
      gates.delete(who)
      gate.resolve()
    }
  }
  const kill = () => {
    isDead = true
    network.lose(2, 1, 'refused')
  }
  return { network, store, staying, leaving, appends: () => appends, hold, kill }
}

const isLeaving = ({ cluster }: Member) => cluster.status().members.some((member) => member.isLeaving)

type Answers = readonly PromiseSettledResult<{ readonly sequence: number }>[]

/** Puts 1 into each vault, and 2 when the store of the member has got that. Resolves when both are under way. */
async function putAll({ leaving, appends }: Awaited<ReturnType<typeof two>>): Promise<() => Promise<Answers>> {
  const put = (amount: number) => ids.map((id) => leaving.vault(id).put({ amount }))
  const first = Promise.allSettled(put(1))
  await until('the store has got some', () => appends() > 0)
  const second = Promise.allSettled(put(2))
  assert.ok(leaving.load().commandsInFlight > ids.length)
  return async () => [...(await first), ...(await second)]
}

/** Each is stored once. */
async function checkAll(store: ReturnType<typeof memory>, answers: Answers): Promise<void> {
  const failed = answers.flatMap((answer) => (answer.status === 'rejected' ? [String(answer.reason)] : []))
  assert.deepEqual(failed, [])
  await using reading = await Vaults.start({ store })
  for (const id of ids) {
    const { state, sequence } = await reading.vault(id).read()
    assert.deepEqual([id, state.amount, sequence], [id, 3, 2])
  }
}

test('A member whose only other one is killed while it leaves decides its last commands itself', async (t) => {
  const both = await two(t)
  const { store, leaving, hold, kill } = both
  const releases = [hold('leaving'), hold('staying')]
  const answers = await putAll(both)
  const stopped = leaving.stop()
  await until('it leaves', () => isLeaving(leaving))
  kill()
  for (const release of releases) release()
  await checkAll(store, await answers())
  await stopped
})

test('So does one that is killed before the states have arrived that are handed over to it', async (t) => {
  const { network, store, leaving, hold, kill } = await two(t)
  await Promise.all(ids.map((id) => leaving.vault(id).put({ amount: 0 })))
  const releases = [hold('leaving'), hold('staying')]
  const answers = Promise.allSettled(ids.map((id) => leaving.vault(id).put({ amount: 1 })))
  await until('they are under way', () => leaving.load().commandsInFlight === ids.length)
  network.cut(1, 2)
  const stopped = leaving.stop()
  kill()
  for (const release of releases) release()
  for (const answer of await answers) {
    assert.ok(answer.status === 'fulfilled', String(answer.status === 'rejected' && answer.reason))
    assert.deepEqual([answer.value.state.amount, answer.value.sequence], [1, 2])
  }
  await stopped
  await using reading = await Vaults.start({ store })
  for (const id of ids) assert.equal((await reading.vault(id).read()).sequence, 2)
})

test('One that is only out of reach may decide them too, and everything is stored once', async (t) => {
  const both = await two(t)
  const { network, store, staying, leaving, hold } = both
  const release = hold('leaving')
  const answers = await putAll(both)
  const stopped = leaving.stop()
  await until('it leaves', () => isLeaving(leaving))
  network.cut(1, 2)
  release()
  const all = await answers()
  await stopped
  await checkAll(store, all)
  network.mend()
  assert.equal((await staying.vault(ids[0]!).put({ amount: 1 })).sequence, 3)
})

test('What is given to a member that stops is refused, has no effect, and can be repeated', async (t) => {
  const both = await two(t)
  const { store, leaving, hold, kill } = both
  const release = hold('leaving')
  const answers = await putAll(both)
  const stopped = leaving.stop()
  kill()
  for (const id of ids) {
    await assert.rejects(leaving.vault(id).put({ amount: 9 }), (error) => hasCode(error, 'STOPPED') && error.retryable)
  }
  release()
  await checkAll(store, await answers())
  await stopped
})

test('So does a member that runs tenants', async (t) => {
  const network = new LocalNetwork()
  const catalog = memory()
  const names = Array.from({ length: 20 }, (_, i) => `tenant ${i}`)
  const places = new Map(names.map((name) => [name, memory()]))
  const staying = { appends: 0, held: undefined as Promise<void> | undefined, isDead: false }
  const watched = (store: StoreFactory) =>
    faultyStore(store, ({ method }): Fault | undefined => {
      if (staying.isDead) return 'before'
      if (method !== 'append') return undefined
      staying.appends++
      return staying.held
    })
  const start = (storeOf: (store: StoreFactory) => StoreFactory) => {
    const timing = { leaseMs: 60_000, routeTimeoutMs: 60_000 }
    return tenants(Vaults, {
      start: (_, tenant) => ({ store: storeOf(places.get(tenant)!) }),
      catalog: storeOf(catalog),
      cluster: {
        ...cluster({ address: '127.0.0.1:0', secret }),
        tenantsNode: (parts) =>
          new TenantsNode({ ...parts, transport: network.transport(), secretProof: 'none', ...timing }),
      },
      log: { warn() {} },
    })
  }
  const [first, leaving] = [start(watched), start((store) => store)]
  t.after(() => {
    staying.isDead = false
    network.mend()
    return Promise.all([first.stop(), leaving.stop()])
  })
  await first.cluster.join()
  await leaving.cluster.join()
  await until('both are members', async () => (await first.cluster.status()).members.length === 2)
  const { self, owners } = await first.cluster.status()
  const name = names.find((each) => owners['vault']![shardOfTenant(each)] === self)!
  const gate = Promise.withResolvers<void>()
  staying.held = gate.promise
  const answer = leaving.get(name).vault('a').put({ amount: 2 })
  await until('its owner has it', () => staying.appends > 0)
  const stopped = leaving.stop()
  await until('it leaves', async () => (await first.cluster.status()).members.some((member) => member.isLeaving))
  staying.isDead = true
  network.lose(2, 1, 'refused')
  gate.resolve()
  assert.equal((await answer).sequence, 1)
  await stopped
})
