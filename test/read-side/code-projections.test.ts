/** Projections as code, on every store: exactly once if the handler uses the transaction, otherwise at least once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type CodeProjection,
  domain,
  type FailurePolicy,
  type HandlerTools,
  projection,
  type StartOptions,
  StoreError,
} from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { at } from '../../src/testing/checkpoint-at.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { codesOf, recorder, settled, until } from '../support/kernel/rig.ts'
import { Pot, Put, type Sick, withStore } from '../support/read-side/pots.ts'
import { sized } from '../support/size.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

type Coded = CodeProjection<string, typeof Put>

const startWith = (coded: Coded, options: StartOptions = {}) =>
  domain({ aggregates: { pot: Pot }, projections: { coded } }).start({
    projections: 'manual',
    log: recorder(),
    ...options,
  })

interface Handler {
  readonly coded: Coded
  /** The amounts that the handler got, by call. */
  readonly calls: (readonly number[])[]
}

/** A handler that records what it gets. */
function noting(sick: Sick = new Set(), policy: FailurePolicy = {}): Handler {
  const calls: (readonly number[])[] = []
  const coded = projection('coded')
    .handle([Put], async (events) => {
      calls.push(events.map(({ data }) => data.amount))
      const bad = events.find(({ data }) => sick.has(data.amount))
      if (bad !== undefined) throw new RangeError(`sick of ${bad.data.amount}`)
    })
    .onFailure({ retries: 0, ...policy })
  return { coded, calls }
}

await onEveryStore('A projection as code', ({ place }) => {
  test('gets events in the order of the log, many at once, and reports when it has handled a position', async (t) => {
    const { coded, calls } = noting()
    await using pots = await startWith(coded, { store: await place(t) })
    for (let i = 0; i < 3; i++)
      await pots.pot('a').fill({ amounts: Array.from({ length: 500 }, (_, j) => i * 500 + j) })
    await pots.pot('a').rustle({ times: 3 })
    assert.deepEqual(await pots.projections.runOnce('coded'), { position: 1503, events: 1500 })
    assert.deepEqual(
      calls.map((amounts) => amounts.length),
      [1000, 500],
    )
    assert.deepEqual(
      calls.flat(),
      Array.from({ length: 1500 }, (_, i) => i),
    )
    await pots.coded.reached({ atLeast: 1503 })
    await pots.projections.start('coded')
    const { position } = await pots.pot('a').put({ amount: 9999 })
    await pots.coded.reached({ atLeast: position })
    assert.deepEqual(calls.at(-1), [9999])
    assert.deepEqual(await codesOf([pots.coded.reached({ atLeast: 9999, timeoutMs: 1 })]), ['PROJECTION_BEHIND'])
  })

  test('continues from its checkpoint after a restart, also past events that it does not handle', async (t) => {
    const [store, { coded, calls }] = [await place(t), noting()]
    for (let start = 0; start < 3; start++) {
      await using pots = await startWith(coded, { store, projections: 'automatic' })
      await pots.pot('a').put({ amount: start })
      const { position } = await pots.pot('a').rustle({ times: 5 })
      await pots.coded.reached({ atLeast: position })
    }
    assert.deepEqual(calls, [[0], [1], [2]])
    assert.equal(await withStore(store, async (opened) => (await opened.loadCheckpoint('coded')).position), 18)
  })

  test('whose handler throws is tried again as often as the policy says, and then stops before that event', async (t) => {
    const [sick, environment] = [new Set([2]), manualEnvironment()]
    const { coded, calls } = noting(sick, { retries: 2, pauseFirstMs: 100 })
    await using pots = await startWith(coded, { store: await place(t), environment, projections: 'automatic' })
    const { position } = await pots.pot('a').put({ amount: 2 })
    const failing = codesOf([pots.coded.reached({ atLeast: position, timeoutMs: 1e9 })])
    await until('it has failed', async () => {
      await environment.advance(100)
      return (await pots.projections.status('coded')).state === 'failed'
    })
    assert.deepEqual(await failing, ['PROJECTION_FAILED'])
    assert.deepEqual(calls, [[2], [2], [2]])
    sick.clear()
    await pots.projections.start('coded')
    await until('it has caught up', async () => {
      await environment.advance(100)
      return (await pots.projections.status('coded')).position === position
    })
  })

  test('counts only the event that fails as failed, not the batch around it', async (t) => {
    for (const [giveUp, position, parked] of [
      ['stop', 2, 0],
      ['skip', 5, 0],
      ['park', 5, 2],
    ] as const) {
      const { coded, calls } = noting(new Set([3]), { giveUp })
      await using pots = await startWith(coded, { store: await place(t) })
      await pots.pot('a').fill({ amounts: [1, 2, 3, 4] })
      await pots.pot('b').put({ amount: 5 })
      await pots.projections.runOnce('coded').catch(() => {})
      assert.equal((await pots.projections.status('coded')).position, position)
      assert.equal((await pots.projections.parked('coded')).length, parked)
      assert.equal(calls.flat().includes(5), true)
    }
  })

  test('parks by stream, or by the key that it chooses, and retries in order', async (t) => {
    const sick = new Set([1])
    const byKey = noting(sick, { giveUp: 'park' })
    const coded = byKey.coded.by(({ data }) => data.keys)
    await using pots = await startWith(coded, { store: await place(t) })
    for (const [amount, keys] of [
      [1, ['x', 'y']],
      [2, ['y']],
      [3, ['z']],
      [4, ['x']],
    ] as const) {
      await pots.pot('a').put({ amount, keys: [...keys] })
    }
    await pots.projections.runOnce('coded')
    const positions = async () => (await pots.projections.parked('coded')).map(({ position }) => position)
    assert.deepEqual(await positions(), [1, 2, 4])
    assert.deepEqual(await pots.projections.retryParked('coded'), { handled: 0, parked: 3 })
    await assert.rejects(pots.projections.skipParked('coded', 3), { code: 'PARKED_UNKNOWN' })
    await pots.projections.skipParked('coded', 2)
    sick.clear()
    byKey.calls.length = 0
    assert.deepEqual(await pots.projections.retryParked('coded'), { handled: 2, parked: 0 })
    assert.deepEqual(byKey.calls, [[1], [4]])
  })

  test('gets an aborted signal when the domain stops, and gets the event again', async (t) => {
    const store = await place(t)
    const seen: string[] = []
    const coded = projection('coded').handle([Put], async ([first], { signal }: HandlerTools) => {
      seen.push(`handling ${first!.data.amount}`)
      if (seen.length > 1) return
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      throw new Error('given up')
    })
    const pots = await startWith(coded, { store, projections: 'automatic' })
    await pots.pot('a').put({ amount: 7 })
    await until('it handles', () => seen.length === 1)
    await pots.stop()
    await using again = await startWith(coded, { store })
    await again.projections.runOnce('coded')
    assert.deepEqual(seen, ['handling 7', 'handling 7'])
  })

  test('cannot be rebuilt or compared, and does not run if it cannot be prepared', async (t) => {
    let isBroken = true
    const prepared = noting()
    const coded = prepared.coded.prepare(() => {
      if (isBroken) throw new Error('no table')
    })
    await using pots = await startWith(coded, { store: await place(t) })
    for (const doing of ['rebuild', 'compare'] as const) {
      await assert.rejects(async () => await pots.projections[doing]('coded'), { code: 'REBUILD_IMPOSSIBLE' })
    }
    await assert.rejects(pots.projections.runOnce('coded'), { code: 'PROJECTION_UNPREPARED' })
    isBroken = false
    await pots.pot('a').put({ amount: 1 })
    assert.equal((await pots.projections.runOnce('coded')).events, 1)
    await settled()
    assert.deepEqual(prepared.calls, [[1]])
  })
})

/** The amounts in the handler's own table, in the order in which they were written. */
async function tableOf(store: StoreFactory, table: string): Promise<readonly number[]> {
  let amounts: readonly number[] = []
  await withStore(store, (opened) =>
    opened.transact!(`reader of ${table}`, at(0), async (transaction) => {
      const found = await transaction.query<{ amount: number }>(`SELECT amount FROM ${table} ORDER BY position, twice`)
      amounts = found.map(({ amount }) => Number(amount))
      return { to: at(0), rows: [] }
    }),
  )
  return amounts
}

/** Writes amounts into a table at each call, so that an event that is handled twice is there twice. */
function writing(name: string, sick: Sick, policy: FailurePolicy = {}): Coded {
  let tries = 0
  return projection(name)
    .handle([Put], async (events, { transaction }) => {
      for (const { position, data } of events) {
        await transaction.query(`INSERT INTO ${name} VALUES (${position}, ${++tries}, ${data.amount})`)
        if (sick.has(data.amount)) throw new RangeError(`sick of ${data.amount}`)
      }
    })
    .prepare(({ transaction }) =>
      transaction.query(`CREATE TABLE IF NOT EXISTS ${name} (position INTEGER, twice INTEGER, amount INTEGER)`),
    )
    .onFailure({ retries: 1, pauseFirstMs: 1, ...policy })
}

await onEveryStore('A handler that asks for a transaction', ({ place, transactions }) => {
  const testWithout = testWhere(!transactions)
  const testHere = testWhere(transactions)

  testWithout('gets an error if there is none', async (t) => {
    await using pots = await startWith(writing('amounts', new Set()), { store: await place(t) })
    const refused = await pots.projections.runOnce('coded').catch((error) => error)
    assert.equal(refused.code, 'PROJECTION_UNPREPARED')
    assert.equal(refused.cause.code, 'TRANSACTION_MISSING')
  })

  testHere('is prepared again if its transaction was open for too long, but not for ever', async (t) => {
    let tooLong = 2
    const store = faultyStore(await place(t), ({ method }) => {
      if (method !== 'transact' || tooLong-- <= 0) return undefined
      return new StoreError('TRANSACTION_TOO_LONG', { store: 'a store', transactionMsMax: 10_000 })
    })
    await using pots = await startWith(writing('prepared', new Set()), { store })
    await pots.pot('a').put({ amount: 1 })
    assert.equal((await pots.projections.runOnce('coded')).events, 1)
    tooLong = Number.POSITIVE_INFINITY
    const refused = await pots.projections.runOnce('coded').catch((error) => error)
    assert.equal(refused.code, 'PROJECTION_UNPREPARED')
    assert.equal(refused.cause.code, 'TRANSACTION_TOO_LONG')
  })

  testHere('writes data that is saved with the checkpoint or not at all', async (t) => {
    const [store, sick] = [await place(t), new Set([3])]
    const pots = await startWith(writing('amounts', sick, { giveUp: 'park' }), { store })
    await pots.pot('a').fill({ amounts: [1, 2, 3, 4] })
    await pots.pot('b').fill({ amounts: [5, 6] })
    await pots.projections.runOnce('coded')
    assert.deepEqual(await tableOf(store, 'amounts'), [1, 2, 5, 6])
    assert.deepEqual(await pots.projections.retryParked('coded'), { handled: 0, parked: 2 })
    assert.deepEqual(await tableOf(store, 'amounts'), [1, 2, 5, 6])
    sick.clear()
    assert.deepEqual(await pots.projections.retryParked('coded'), { handled: 2, parked: 0 })
    assert.deepEqual(await tableOf(store, 'amounts'), [1, 2, 3, 4, 5, 6])
    await pots.stop()
  })

  testHere('handles each event exactly once, wherever it crashes', async (t) => {
    const store = await place(t)
    const writer = await startWith(noting().coded, { store })
    await writer.pot('a').fill({ amounts: [1, 2, 3] })
    for (const [first, fault] of [
      [1, 'before'],
      [3, 'after'],
    ] as const) {
      let isMet = true
      let n = first
      for (; isMet; n += sized(4, 16)) {
        isMet = false
        const name = `amounts_${fault}_${n}`
        const faulty = faultyStore(store, ({ total, method }) => {
          if (method === 'close' || total < n) return undefined
          isMet = true
          return total === n ? fault : 'before'
        })
        // After a kill another process runs, on the same tables.
        const sick = new Set([2])
        const policy = { retries: 0, giveUp: 'park' } as const
        // The lease of the dead process expires soon.
        const options = { leaseMs: 100, pollIntervalMs: 5 }
        const dead = await startWith(writing(name, sick, policy), { ...options, store: faulty }).catch(() => undefined)
        await dead?.projections.runOnce('coded').catch(() => {})
        sick.clear()
        await dead?.projections.retryParked('coded').catch(() => {})
        await dead?.stop().catch(() => {})
        await using follower = await startWith(writing(name, sick, policy), { ...options, store })
        await follower.projections.runOnce('coded')
        await until('what is parked is retried', async () => {
          const refused = await follower.projections.retryParked('coded').then(
            () => undefined,
            (error) => error,
          )
          if (refused !== undefined) assert.equal(refused.code, 'PROJECTION_ELSEWHERE')
          return refused === undefined
        })
        assert.deepEqual(await tableOf(store, name), [1, 2, 3], `with n = ${n}, ${fault}`)
      }
      assert.ok(n > 10, `only ${n} calls were made`)
    }
    await writer.stop()
  })

  testHere('handles nothing twice if two processes retry at once', async (t) => {
    const [store, sick] = [await place(t), new Set([1, 4])]
    const coded = () => writing('amounts_at_once', sick, { retries: 0, giveUp: 'park' })
    await using one = await startWith(coded(), { store })
    await using two = await startWith(coded(), { store })
    await one.pot('a').fill({ amounts: [1, 2, 3] })
    await one.pot('b').fill({ amounts: [4, 5, 6] })
    await one.projections.runOnce('coded')
    sick.clear()
    await Promise.allSettled([one, two, one, two].map((pots) => pots.projections.retryParked('coded')))
    await one.projections.retryParked('coded')
    assert.deepEqual(await tableOf(store, 'amounts_at_once'), [1, 2, 3, 4, 5, 6])
  })
})
