/** Tenants: what a handle does, when a tenant is stopped, and how work goes on without a caller. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { domain, type MnemeError, memory, projection, reaction, type TenantsOptions, tenants } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { recorder } from '../support/kernel/rig.ts'
import { counted, Pot, Pots, Put, passUntil, rig } from './pots.ts'

test('many who ask for a tenant at once open it once', async (context) => {
  const { banks, opened } = rig(context, () => memory())
  await Promise.all(Array.from({ length: 100 }, (_, i) => banks.get('acme').pot(`p${i}`).put({ amount: 1 })))
  assert.equal(opened.get('acme'), 1)
  assert.equal((await banks.get('acme').pot.ids({ limit: 1000 })).ids.length, 100)
})

test('a handle has the methods of a running domain', async () => {
  const All = domain({
    aggregates: { pot: Pot },
    projections: {
      rows: projection('rows', () => ({}))
        .on(Put, () => ({}))
        .by(({ stream }) => stream.id),
      state: projection('state', () => ({})).on(Put, () => ({})),
      code: projection('code').handle([Put], async () => {}),
    },
  })
  const start = () => ({ store: memory() })
  await using banks = tenants(All, { start, log: recorder() })
  await using running = await All.start({ store: memory(), projections: 'manual', log: recorder() })
  const acme = banks.get('acme')
  const methodsOf = (value: object): readonly string[] =>
    Object.entries(value)
      .filter(([key]) => key !== 'names')
      .flatMap(([key, part]) => [key, ...methodsOf(part as object).map((name) => `${key}.${name}`)])
      .sort()
  assert.deepEqual(
    methodsOf(acme),
    // Neither outlives the domain, which a handle does.
    methodsOf(running).filter((name) => name !== 'stop' && name !== 'cluster.singleton'),
  )
  assert.deepEqual(acme.projections.names, running.projections.names)
  assert.deepEqual(acme.reactions.names, running.reactions.names)
  const all = (handle: object) => {
    const names = new Set<string>()
    for (let part = handle; part !== Object.prototype; part = Object.getPrototypeOf(part)) {
      for (const name of Object.getOwnPropertyNames(part)) names.add(name)
    }
    return [...names].sort()
  }
  assert.deepEqual(all(acme.pot('a')), all(running.pot('a')))
  const commands = (tried: object) => all(tried).filter((name) => name !== 'id' && name !== 'stream')
  assert.deepEqual(commands(acme.pot('a').try), commands(running.pot('a').try))
})

test('every method of a handle reaches the domain', async (context) => {
  const { banks } = rig(context, () => memory())
  const acme = banks.get('acme')
  const a = acme.pot('a')
  assert.equal(a.id, 'a')
  const { position } = await a.put({ amount: 1 })
  assert.equal((await a.try.put({ amount: 2 })).accepted, true)
  await acme.dispatch({ aggregate: 'pot', id: 'a', name: 'put', data: { amount: 3 } })
  const command = await acme.parseCommand({ aggregate: 'pot', id: 'a', name: 'put', data: { amount: 4 } })
  await acme.try.dispatch(command)
  await assert.rejects(acme.parseCommand({ ...command, metadata: {} }), { code: 'COMMAND_MALFORMED' })
  assert.deepEqual(await a.state(), { sum: 10 })
  assert.equal((await a.state({ sequence: 2 })).sum, 3)
  assert.equal((await a.read()).sequence, 4)
  const history = await Array.fromAsync(a.history({ limit: 2 }))
  assert.deepEqual(
    history.map(({ sequence }) => sequence),
    [1, 2],
  )
  assert.equal(await acme.head(), 4)
  assert.deepEqual(await acme.load(), { liveAggregates: 1, commandsInFlight: 0 })
  const { members } = await acme.cluster.status()
  assert.equal(members.length, 1)
  for await (const status of acme.cluster.changes()) {
    assert.deepEqual(status.members, members)
    break
  }
  assert.deepEqual((await acme.pot.ids()).ids, ['a'])
  assert.deepEqual(await acme.pot.sequences(['a', 'b']), [4, 0])
  assert.equal((await acme.pot.states(['a']))[0]!.state.sum, 10)
  assert.deepEqual(await acme.sums.get('a', { atLeast: position + 3 }), { sum: 10 })
  assert.equal(await acme.sums.count(), 1)
  assert.equal((await acme.projections.status('sums')).name, 'sums')
  assert.deepEqual(await acme.reactions.timers('later'), { timers: [] })
  assert.deepEqual((await acme.reactions.waiting('later')).waiting, [])
  const progress = await Array.fromAsync(acme.projections.rebuild('sums'))
  assert.equal(progress.at(-1)?.position, 4)
  assert.equal((await acme.projections.rebuild('sums')).position, 4)
  assert.equal((await acme.projections.compare('sums')).differing, 0)
  assert.throws(() => acme.pot(''), { code: 'ID_INVALID' })
  await assert.rejects(Promise.resolve(acme.projections.rebuild('none' as never)), { code: 'PROJECTION_UNKNOWN' })
})

test('a tenant is not stopped while somebody subscribes to it or works with it', async (context) => {
  const environment = manualEnvironment()
  const { banks, stores } = rig(context, () => memory(), { idleMs: 1000, environment })
  const acme = banks.get('acme')
  await acme.pot('a').put({ amount: 1 })
  const seen: number[] = []
  const following = (async () => {
    for await (const { position } of acme.events()) {
      seen.push(position)
      if (position === 2) break
    }
  })()
  await passUntil(environment, () => seen.length === 1)
  await environment.advance(10_000)
  assert.equal(stores.open, 1)
  await acme.pot('a').put({ amount: 1 })
  await following
  await passUntil(environment, () => stores.open === 0)

  const done = Promise.withResolvers<void>()
  const working = banks.use('acme', async (bank) => {
    await bank.pot('a').put({ amount: 1 })
    await done.promise
    assert.ok(!('stop' in bank))
    return (await bank.pot('a').state()).sum
  })
  await passUntil(environment, () => stores.open === 1)
  await environment.advance(10_000)
  assert.equal(stores.open, 1)
  done.resolve()
  assert.equal(await working, 3)
  await passUntil(environment, () => stores.open === 0)
})

test('a tenant is not stopped while it has events to handle, unless another one needs its place for long', async () => {
  const environment = manualEnvironment()
  const gate = Promise.withResolvers<void>()
  let runs = 0
  const Slow = reaction('slow', { pot: Pot }).on(Put, async () => {
    runs++
    await gate.promise
  })
  const Busy = domain({ aggregates: { pot: Pot }, reactions: { slow: Slow } })
  const stores = new Map<string, StoreFactory>()
  const count = { open: 0, most: 0, closed: 0, stored: 0 }
  const start = (name: string) => {
    if (!stores.has(name)) stores.set(name, memory())
    return { store: counted(stores.get(name)!, count), log: recorder(), limits: { stopTimeoutMs: 500 } }
  }
  await using banks = tenants(Busy, { start, idleMs: 2000, openMax: 1, waitMs: 60_000, environment, log: recorder() })
  await banks.get('acme').pot('a').put({ amount: 1 })
  await environment.advance(30_000)
  assert.deepEqual([runs, count.open], [1, 1])
  // Another one needs the place. The work is interrupted, and continues later by itself.
  const other = banks.get('other').pot('a').put({ amount: 1 })
  let isThere = false
  void other.then(() => {
    isThere = true
  })
  await passUntil(environment, () => isThere)
  gate.resolve()
  const { position } = await other
  assert.equal(position, 1)
  await passUntil(environment, () => runs >= 3)
  await passUntil(environment, () => count.open === 0 && banks.load().scheduled === 0)
  assert.equal((await banks.get('acme').reactions.status('slow')).position, 1)
})

test('wake lets every tenant do what an earlier program left, and one that fails does not stop it', async (context) => {
  const factories = new Map<string, StoreFactory>()
  const storeOf = (tenant: string): StoreFactory => {
    if (tenant === 'damaged') throw new RangeError('no such tenant')
    if (!factories.has(tenant)) factories.set(tenant, memory())
    return factories.get(tenant)!
  }
  const names = Array.from({ length: 10 }, (_, i) => `t${i}`)
  for (const name of names) {
    // It ends before its reaction has run.
    await using bank = await Pots.start({ store: storeOf(name), projections: 'manual', log: recorder() })
    await bank.pot('a').ask({ afterMs: 5000 })
  }
  const environment = manualEnvironment({ now: new Date() })
  const { banks, stores } = rig(context, storeOf, { openMax: 4, idleMs: 1000, environment })
  const waking = banks.wake([...names.slice(0, 5), 'damaged', '', ...names.slice(5)])
  let result: Awaited<typeof waking> | undefined
  void waking.then((found) => {
    result = found
  })
  await passUntil(environment, () => result !== undefined)
  assert.equal(result!.woken, 10)
  assert.deepEqual(result!.failed.map(({ tenant, error }) => [tenant, (error as MnemeError).code]).sort(), [
    ['', 'ID_INVALID'],
    ['damaged', 'TENANT_NOT_OPENED'],
  ])
  await passUntil(environment, () => stores.open === 0 && banks.load().scheduled === 0)
  for (const name of names) assert.equal((await banks.get(name).pot('a').state()).sum, 1000)
  assert.ok(stores.most <= 4)
})

test('options and names that cannot work are refused at once', () => {
  const start = () => ({ store: memory() })
  const refused = (options: unknown, of: unknown = Pots) =>
    assert.throws(() => tenants(of as typeof Pots, options as TenantsOptions), { code: 'OPTION_INVALID' })
  refused(undefined)
  refused({})
  refused({ start, idleMs: 0 })
  refused({ start, openMax: 0 })
  refused({ start, openMax: 1.5 })
  refused({ start, waitMs: -1 })
  refused({ start, store: memory() })
  refused({ start }, {})
  const banks = tenants(Pots, { start })
  assert.throws(() => banks.get(''), { code: 'ID_INVALID' })
  assert.throws(() => banks.get(5 as never), { code: 'ID_INVALID' })
})
