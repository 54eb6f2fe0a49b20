/** Tenants under faults and races: each harms only itself, and no call is left without an answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { domain, hasCode, type MnemeError, memory, projection, StoreError, tenants } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { codesOf, recorder, until } from '../support/kernel/rig.ts'
import { counted, Pot, Pots, Put, passUntil, rig } from './pots.ts'

test('if all places are in use, a call waits in order, and then fails with a code', async (context) => {
  const environment = manualEnvironment()
  const { banks } = rig(context, () => memory(), { openMax: 1, waitMs: 1000, environment })
  const first = Promise.withResolvers<void>()
  const using = banks.use('acme', () => first.promise)
  const late = banks.get('late').pot('a').put({ amount: 1 })
  const codes = codesOf([late])
  await passUntil(environment, () => banks.load().waiting === 1)
  await environment.advance(1500)
  assert.deepEqual(await codes, ['TENANTS_BUSY'])
  await assert.rejects(late, (error: MnemeError) => {
    assert.ok(hasCode(error, 'TENANTS_BUSY'))
    assert.deepEqual(error.facts, { tenant: 'late', openMax: 1, waitMs: 1000 })
    assert.equal(error.retryable, true)
    return true
  })
  const order: string[] = []
  const waiting = ['b', 'c', 'd'].map(async (name) => {
    await banks.get(name).pot('a').put({ amount: 1 })
    order.push(name)
  })
  first.resolve()
  await using
  let isDone = false
  void Promise.all(waiting).then(() => {
    isDone = true
  })
  await passUntil(environment, () => isDone)
  assert.deepEqual(order, ['b', 'c', 'd'])
})

test('a tenant that cannot be opened harms only itself', async (context) => {
  const environment = manualEnvironment()
  let isDamaged = true
  const corrupt = () => new StoreError('STORE_CORRUPT', { store: 'sqlite', where: 'events', reason: 'a bad row' })
  let tries = 0
  const make = (tenant: string): StoreFactory => {
    const inner = memory()
    if (tenant !== 'damaged') return inner
    const open: StoreFactory['open'] = async (options) => {
      tries++
      if (isDamaged) throw corrupt()
      return inner.open(options)
    }
    return { name: 'memory', open }
  }
  const { banks } = rig(context, make, { openMax: 2, environment })
  const damaged = banks.get('damaged')
  const calls = Array.from({ length: 20 }, () => damaged.pot('a').put({ amount: 1 }))
  for (const outcome of await Promise.allSettled(calls)) {
    assert.ok(outcome.status === 'rejected' && hasCode(outcome.reason, 'TENANT_NOT_OPENED'))
    assert.equal(outcome.reason.facts.tenant, 'damaged')
    assert.ok(hasCode(outcome.reason.cause, 'STORE_CORRUPT'))
    assert.match(outcome.reason.message, /tenant "damaged".*a bad row/)
    assert.equal(outcome.reason.retryable, false)
  }
  assert.deepEqual(await codesOf([damaged.head(), damaged.head()]), ['TENANT_NOT_OPENED', 'TENANT_NOT_OPENED'])
  assert.equal(tries, 1, 'a damaged store is not opened for each call')
  let isDone = false
  const others = ['a', 'b', 'c', 'd'].map((name) => banks.get(name).pot('a').put({ amount: 1 }))
  void Promise.all(others).then(() => {
    isDone = true
  })
  await passUntil(environment, () => isDone)
  isDamaged = false
  await environment.advance(2000)
  await damaged.pot('a').put({ amount: 1 })
})

test('a function that throws fails the calls that wait for it, and the next call tries again', async (context) => {
  let isThere = false
  const make = () => {
    if (!isThere) throw new RangeError('no such tenant')
    return memory()
  }
  const start = () => ({ store: make() })
  await using banks = tenants(Pots, { start, log: recorder(), openMax: 1 })
  context.after(() => banks.stop())
  const failing = [banks.get('x').head(), banks.get('x').head()]
  for (const call of failing) {
    await assert.rejects(call, (error: MnemeError) => {
      assert.equal(error.code, 'TENANT_NOT_OPENED')
      assert.ok(error.cause instanceof RangeError)
      return true
    })
  }
  isThere = true
  assert.equal(await banks.get('x').head(), 0)
})

test('a tenant that cannot be stopped is reported by name, and can be opened again', async (context) => {
  const environment = manualEnvironment()
  let closes = 0
  const make = () => {
    const inner = memory()
    const open: StoreFactory['open'] = async (options) => {
      const store = await inner.open(options)
      const close = async () => {
        await store.close()
        if (++closes === 1) throw new Error('the disk is gone')
      }
      return new Proxy(store, {
        get: (target, key) => {
          const value = key === 'close' ? close : Reflect.get(target, key)
          return key !== 'close' && typeof value === 'function' ? value.bind(target) : value
        },
      })
    }
    return { name: 'memory', open }
  }
  const { banks, log } = rig(context, make, { idleMs: 1000, openMax: 1, environment })
  await banks.get('acme').pot('a').put({ amount: 1 })
  await passUntil(environment, () => banks.load().open === 0 && closes === 1)
  assert.equal((await banks.get('acme').pot('a').state()).sum, 1)
  assert.deepEqual(log.codes(), ['TENANT_NOT_STOPPED'])
  assert.match(log.messages[0]!, /tenant "acme".*the disk is gone/i)
})

test('a call that comes while its tenant is stopped opens it again', async (context) => {
  const environment = manualEnvironment()
  const gate = Promise.withResolvers<void>()
  let isClosing = false
  const make = () => {
    const inner = memory()
    const open: StoreFactory['open'] = async (options) => {
      const store = await inner.open(options)
      const close = async () => {
        isClosing = true
        await gate.promise
        await store.close()
      }
      return new Proxy(store, {
        get: (target, key) => {
          const value = key === 'close' ? close : Reflect.get(target, key)
          return key !== 'close' && typeof value === 'function' ? value.bind(target) : value
        },
      })
    }
    return { name: 'memory', open }
  }
  const { banks, opened } = rig(context, make, { idleMs: 1000, environment })
  await banks.get('acme').pot('a').put({ amount: 1 })
  await passUntil(environment, () => isClosing)
  const call = banks.get('acme').pot('a').put({ amount: 1 })
  await setImmediate()
  assert.equal(opened.get('acme'), 1)
  gate.resolve()
  assert.equal((await call).state.sum, 2)
  assert.equal(opened.get('acme'), 2)
})

test('stop while tenants are opened and others wait leaves nothing open and no call without an answer', async (context) => {
  const gate = Promise.withResolvers<void>()
  const make = async () => {
    await gate.promise
    return memory()
  }
  const { banks, stores } = rig(context, make, { openMax: 2 })
  const calls = ['a', 'b', 'c', 'd'].map((name) => banks.get(name).pot('a').put({ amount: 1 }))
  const codes = codesOf(calls)
  await setImmediate()
  const stopping = banks.stop()
  assert.equal(banks.stop(), stopping)
  gate.resolve()
  await stopping
  assert.equal(stores.open, 0)
  assert.deepEqual(await codes, ['STOPPED', 'STOPPED', 'STOPPED', 'STOPPED'])
})

test('warnings name their tenant, with each kind of logger', async (context) => {
  const Sick = projection('sick', () => ({ sum: 0 }))
    .on(Put, () => {
      throw new RangeError('sick')
    })
    .by(({ stream }) => stream.id)
  const Bad = domain({ aggregates: { pot: Pot }, projections: { sick: Sick } })
  const lines: unknown[][] = []
  const pino = { bindings() {}, child() {}, warn: (...line: unknown[]) => lines.push(line) }
  await using banks = tenants(Bad, { start: () => ({ store: memory() }), log: pino as never })
  context.after(() => banks.stop())
  await banks.get('acme').pot('a').put({ amount: 1 })
  await until('a warning comes', () => lines.length > 0)
  const [facts, message] = lines[0] as [{ tenant: string; code: string }, string]
  assert.equal(facts.tenant, 'acme')
  assert.match(message, /Tenant "acme": /)
})

test('a function that returns no store is refused, because memory would lose everything at the next idle time', async () => {
  for (const given of [undefined, {}, { log: recorder() }, memory()]) {
    await using banks = tenants(Pots, { start: () => given as never, log: recorder() })
    await assert.rejects(banks.get('acme').head(), (error: MnemeError) => {
      assert.equal(error.code, 'TENANT_NOT_OPENED')
      assert.ok(hasCode(error.cause, 'OPTION_INVALID'))
      assert.equal(error.cause.facts.option, 'start')
      return true
    })
  }
})

test('a call is not made to wait longer because its tenant is being woken', async (context) => {
  const environment = manualEnvironment()
  const { banks } = rig(context, () => memory(), { openMax: 1, waitMs: 1000, environment })
  const first = Promise.withResolvers<void>()
  const using = banks.use('acme', () => first.promise)
  await passUntil(environment, () => banks.load().inUse === 1)
  const waking = banks.wake(['late'])
  const codes = codesOf([banks.get('late').head()])
  await environment.advance(1500)
  assert.deepEqual(await codes, ['TENANTS_BUSY'])
  first.resolve()
  await using
  let isDone = false
  void waking.then(() => {
    isDone = true
  })
  await passUntil(environment, () => isDone)
  assert.deepEqual(await waking, { woken: 1, failed: [] })
})

test('stop does not wait for ever for a tenant that is never opened', async () => {
  const environment = manualEnvironment()
  const gate = Promise.withResolvers<{ store: StoreFactory }>()
  const banks = tenants(Pots, { start: () => gate.promise, log: recorder(), environment })
  const call = banks.get('acme').head()
  let isStopped = false
  void banks.stop().then(() => {
    isStopped = true
  })
  await passUntil(environment, () => isStopped)
  // It comes late. It is stopped then.
  const stores = { open: 0, most: 0, closed: 0, stored: 0 }
  gate.resolve({ store: counted(memory(), stores) })
  assert.deepEqual(await codesOf([call]), ['STOPPED'])
  await passUntil(environment, () => stores.closed === 1)
})
