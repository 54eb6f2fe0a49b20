/**
 * Projections on every store: managing them by name, and that no call in the middle of their work makes them skip
 * events.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { domain, hasCode, projection } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { at } from '../../src/testing/checkpoint-at.ts'
import { type ManualEnvironment, manualEnvironment } from '../../src/testing/manual-environment.ts'
import { codesOf, until, watched } from '../support/kernel/rig.ts'
import {
  type Folded,
  foldOf,
  logFrom,
  Pot,
  Put,
  type RunningRows,
  rowsOf,
  startRows,
  withStore,
} from '../support/read-side/pots.ts'
import { sized } from '../support/size.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const stateOf = async (pots: RunningRows) => (await pots.projections.status('rows')).state

/** Longer than any test waits. */
const longMs = 1e12

await onEveryStore('A projection by its name', ({ place }) => {
  test('started twice runs once, is found by lookup while it runs, and not after it was stopped', async (t) => {
    await using pots = await startRows({ store: await place(t) })
    assert.equal(await pots.projections.lookup('rows'), undefined)
    await Promise.all([pots.projections.start('rows'), pots.projections.start('rows')])
    assert.equal((await pots.projections.lookup('rows'))?.name, 'rows')
    const { position } = await pots.pot('a').put({ amount: 1 })
    assert.deepEqual(await rowsOf(pots, position), { a: [1] })
    await pots.projections.stop('rows')
    assert.equal(await pots.projections.lookup('rows'), undefined)
    assert.equal(await stateOf(pots), 'stopped')
    await pots.projections.stop('rows')
  })

  test('can be stopped before it was started; every call refuses an unknown one', async (t) => {
    await using pots = await startRows({ store: await place(t) })
    await pots.projections.stop('rows')
    assert.equal(await stateOf(pots), 'stopped')
    const { names, ...unknown } = pots.projections as unknown as Record<
      string,
      (name: string, more?: unknown) => unknown
    >
    assert.deepEqual(names, ['rows'])
    for (const method of Object.keys(unknown)) {
      await assert.rejects(async () => await unknown[method]!('nobody', 1), { code: 'PROJECTION_UNKNOWN' }, method)
    }
  })

  test('handles nothing while it is paused, and everything once it is resumed', async (t) => {
    await using pots = await startRows({ store: await place(t), projections: 'automatic' })
    const before = await pots.pot('a').put({ amount: 1 })
    await rowsOf(pots, before.position)
    await pots.projections.pause('rows')
    await until('it rests', async () => {
      await pots.pot('b').rustle({ times: 1 })
      return (await stateOf(pots)) === 'paused'
    })
    const { position } = await pots.pot('a').put({ amount: 2 })
    assert.deepEqual(await codesOf([pots.rows.get('a', { atLeast: position, timeoutMs: 1 })]), ['PROJECTION_BEHIND'])
    assert.deepEqual(await rowsOf(pots), { a: [1] })
    await pots.projections.resume('rows')
    assert.deepEqual(await rowsOf(pots, position), { a: [1, 2] })
  })

  test('stays paused when it is stopped and started again', async (t) => {
    await using pots = await startRows({ store: await place(t), projections: 'automatic' })
    await pots.projections.pause('rows')
    await pots.projections.stop('rows')
    await pots.projections.start('rows')
    const { position } = await pots.pot('a').put({ amount: 1 })
    await until('it rests again', async () => (await stateOf(pots)) === 'paused')
    assert.deepEqual(await rowsOf(pots), {})
    await pots.projections.resume('rows')
    assert.deepEqual(await rowsOf(pots, position), { a: [1] })
  })

  test('moves past events that it does not handle, and keeps that position over a restart', async (t) => {
    const store = await place(t)
    for (let start = 0; start < 2; start++) {
      await using pots = await startRows({ store, projections: 'automatic' })
      const { position } = await pots.pot('a').rustle({ times: 7 })
      await pots.rows.get('a', { atLeast: position })
    }
    assert.equal(await withStore(store, async (opened) => (await opened.loadCheckpoint('rows')).position), 14)
  })

  test('refuses a step from another checkpoint, and keeps rows and checkpoint', async (t) => {
    const store = await place(t)
    await withStore(store, async (opened) => {
      await opened.saveStep('rows', { from: at(0), to: at(5), rows: [{ key: 'a', value: 1 }] })
      for (const from of [0, 4, 6]) {
        const late = opened.saveStep('rows', { from: at(from), to: at(9), rows: [{ key: 'a', value: 2 }] })
        await assert.rejects(late, { code: 'CHECKPOINT_CONFLICT' })
      }
      assert.equal((await opened.loadCheckpoint('rows')).position, 5)
      assert.deepEqual(await opened.loadRows('rows', ['a']), [1])
    })
  })

  test('is woken by a hint, and finds events without a hint by its poll', async (t) => {
    const watch = watched(await place(t))
    const environment = manualEnvironment()
    watch.disturb(({ method }) => (method === 'onAppend' ? 'before' : undefined))
    await using pots = await startRows({ store: watch.store, projections: 'automatic', environment })
    const { position } = await pots.pot('a').put({ amount: 1 })
    let found = false
    const reading = pots.rows.get('a', { atLeast: position, timeoutMs: longMs }).then((row) => {
      found = true
      return row
    })
    await until('its poll has found it', async () => {
      await environment.advance(100)
      return found
    })
    assert.deepEqual(await reading, { amounts: [1] })
  })
})

/**
 * A log of puts among many events that are not handled: more than one step of both, with unhandled events at the end.
 */
async function fillLog(pots: RunningRows): Promise<void> {
  for (let i = 0; i < 30; i++) {
    await pots.pot('z').rustle({ times: 70 })
    await pots.pot(`p${i % 20}`).fill({ amounts: Array.from({ length: 70 }, (_, j) => i * 100 + j) })
  }
  await pots.pot('z').rustle({ times: 700 })
}

interface Moment {
  readonly pots: RunningRows
  readonly environment: ManualEnvironment
}

const leaseMs = 1000
/** Longer than any test moves the clock. */

/** Calls that may be made at any moment. None may make the projection skip or double anything. */
const doings: Readonly<Record<string, (moment: Moment) => Promise<unknown>>> = {
  'its status is asked for': ({ pots }) => pots.projections.status('rows'),
  'its progress is watched': async ({ pots }) => {
    for await (const _ of pots.projections.progress('rows')) break
  },
  'it is asked what is parked': ({ pots }) => pots.projections.parked('rows'),
  'it is stopped and started': async ({ pots: { projections } }) => {
    await projections.stop('rows')
    await projections.start('rows')
  },
  'it is paused and resumed': async ({ pots: { projections } }) => {
    await projections.pause('rows')
    await projections.resume('rows')
  },
  'it is run once beside': ({ pots }) => pots.projections.runOnce('rows'),
  'a row is read': ({ pots }) => pots.rows.get('p1', { atLeast: 3000, timeoutMs: longMs }),
  'its lease is due': async ({ environment }) => environment.setClock(new Date(environment.now() + 0.7 * leaseMs)),
  'its lease has run out': async ({ environment }) => environment.setClock(new Date(environment.now() + 2 * leaseMs)),
}

/** Waits until a position is handled, across all stops and starts. */
async function handled(pots: RunningRows, environment: ManualEnvironment, atLeast: number): Promise<void> {
  let isHandled = false
  const wait = (): Promise<void> =>
    pots.rows.get('p1', { atLeast, timeoutMs: longMs }).then(
      () => {
        isHandled = true
      },
      (error) => (hasCode(error, 'STOPPED') ? setImmediate().then(wait) : assert.fail(error)),
    )
  const waiting = wait()
  await until('it has caught up', async () => {
    await environment.advance(100)
    return isHandled
  })
  await waiting
}

/** Runs a projection over a log, and makes a call at the n-th call to the store. Returns whether there was one. */
async function disturbed(
  store: StoreFactory,
  head: number,
  n: number,
  what: string,
  expected: Folded,
): Promise<boolean> {
  const environment = manualEnvironment({ seed: n })
  const watch = watched(store)
  const started = Promise.withResolvers<RunningRows>()
  let done: Promise<unknown> | undefined
  let calls = 0
  watch.disturb(({ method }) => {
    if (done !== undefined || method === 'open' || method === 'close' || ++calls !== n) return undefined
    done = started.promise.then((pots) => doings[what]!({ pots, environment }))
    return undefined
  })
  await using pots = await startRows({ name: `rows ${what} ${n}`, store: watch.store, environment, leaseMs })
  await pots.projections.start('rows')
  started.resolve(pots)
  await handled(pots, environment, head)
  const isMet = done !== undefined
  calls = Number.POSITIVE_INFINITY
  await done
  assert.deepEqual(await rowsOf(pots), expected, `with n = ${n}`)
  return isMet
}

const savedMidway = {
  title: 'A checkpoint that is saved in the middle of a catch-up',
  quickOn: ['memory', 'postgres'],
} as const
await onEveryStore(savedMidway, ({ name, place }) => {
  test('skips and doubles nothing, whichever call is made at any moment', async (t) => {
    const store = await place(t)
    const filling = await startRows({ store })
    await fillLog(filling)
    const { head } = await filling.projections.status('rows')
    const expected = foldOf(await logFrom(filling, head))
    await filling.stop()
    // Every moment if that is cheap, each with another projection over the same log.
    const stride = name === 'memory' ? sized(1, 2) : sized(33, 66)
    for (const [i, what] of Object.keys(doings).entries()) {
      let n = 1 + (i % stride)
      while (await disturbed(store, head, n, what, expected)) n += stride
      assert.ok(n > 8, `only ${n} moments were met when ${what}`)
    }
  })
})

const twoRuns = { title: 'Of two runs at once from one checkpoint', quickOn: ['memory', 'postgres'] } as const
await onEveryStore(twoRuns, ({ place, severalWriters }) => {
  const testHere = testWhere(severalWriters)
  /** The fast one waits until the lease of the slow one has expired. */
  const leaseMs = sized(10_000, 1000)

  testHere('none folds onto rows that the other has replaced', async (t) => {
    const store = await place(t)
    const watch = watched(store)
    await using slow = await startRows({ store: watch.store, leaseMs })
    await using fast = await startRows({ store, leaseMs })
    for (let i = 1; i <= 3; i++) await fast.pot('a').put({ amount: i })
    await slow.projections.runOnce('rows')
    await fast.pot('a').put({ amount: 4 })
    // While a run is in progress, its domain is asked for the status, and another one continues with its rows.
    const gate = Promise.withResolvers<void>()
    let met = false
    watch.disturb(({ method, number }) => {
      if (method !== 'readAll' || met) return undefined
      met = number > 0
      return gate.promise
    })
    const running = slow.projections.runOnce('rows')
    await until('it reads', () => met)
    const asked = slow.projections.status('rows')
    await fast.projections.runOnce('rows')
    await fast.pot('a').put({ amount: 5 })
    gate.resolve()
    await Promise.all([running, asked])
    await slow.projections.runOnce('rows')
    assert.deepEqual(await rowsOf(slow), { a: [1, 2, 3, 4, 5] })
  })

  testHere('a look at the checkpoint misleads none', async (t) => {
    const store = await place(t)
    const watch = watched(store)
    await using slow = await startRows({ store: watch.store, leaseMs })
    await using fast = await startRows({ store, leaseMs })
    const amounts = Array.from({ length: 1500 }, (_, i) => i)
    for (const from of [0, 750]) await fast.pot('a').fill({ amounts: amounts.slice(from, from + 750) })
    // Between two of its steps one looks at the checkpoint, which the other has just moved.
    let looking: Promise<unknown> | undefined
    let moved = false
    watch.disturb(({ method }) => {
      if (method === 'saveStep') looking ??= slow.projections.status('rows')
      if (method !== 'loadCheckpoint' || looking === undefined || moved) return undefined
      moved = true
      return fast.projections.runOnce('rows').then(() => fast.pot('a').put({ amount: 9000 }))
    })
    await slow.projections.runOnce('rows')
    await looking
    assert.ok(moved)
    await slow.projections.runOnce('rows')
    assert.deepEqual(await rowsOf(slow), { a: [...amounts, 9000] })
  })
})

await onEveryStore('The progress of a projection', ({ place }) => {
  const amounts = Array.from({ length: 900 }, (_, i) => i)

  test('only goes forward, and ends when everything is handled', async (t) => {
    await using pots = await startRows({ store: await place(t) })
    for (const id of ['a', 'b', 'c']) await pots.pot(id).fill({ amounts })
    const progress = pots.projections.progress('rows', { everyMs: 1 })
    const seen: number[] = []
    for await (const { position, head, done, remainingMs } of progress) {
      if (seen.length === 0) await pots.projections.start('rows')
      seen.push(position)
      assert.deepEqual([head, done, remainingMs === 0], [2700, position, position === 2700])
    }
    assert.deepEqual([seen[0], seen.at(-1)], [0, 2700])
    assert.deepEqual(
      seen,
      [...seen].sort((x, y) => x - y),
    )
  })

  test('ends with the failure if there will be no more progress', async (t) => {
    await using pots = await startRows({ store: await place(t), sick: new Set([500]) })
    await pots.pot('a').fill({ amounts })
    await pots.projections.start('rows')
    const watching = Array.fromAsync(pots.projections.progress('rows', { everyMs: 1 }))
    await assert.rejects(watching, { code: 'PROJECTION_FAILED' })
    await assert.rejects(async () => void (await pots.projections.progress('rows')), { code: 'PROJECTION_FAILED' })
  })

  test('is awaited until everything is handled', async (t) => {
    await using pots = await startRows({ store: await place(t) })
    await pots.pot('a').fill({ amounts })
    await pots.projections.start('rows')
    const { position, remainingMs } = await pots.projections.progress('rows', { everyMs: 1 })
    assert.deepEqual([position, remainingMs], [900, 0])
    assert.equal((await pots.projections.status('rows')).position, 900)
  })
})

await onEveryStore('The rows of a projection', ({ place }) => {
  test('may be one state, several for an event, or deleted, and come back after a restart', async (t) => {
    const store = await place(t)
    const Count = projection('count', () => ({ count: 0 }))
      .on(Put, ({ count }) => ({ count: count + 1 }))
      .single()
    const Last = projection('last', () => ({ amount: 0 })).on(Put, (_, { amount }) =>
      amount === 0 ? undefined : { amount },
    )
    const Pots = domain({ aggregates: { pot: Pot }, projections: { count: Count, last: Last } })
    for (let start = 1; start <= 2; start++) {
      await using pots = await Pots.start({ store })
      await pots.pot('a').put({ amount: 7 })
      await pots.pot('b').put({ amount: 7, keys: ['b', 'c'] })
      const { position } = await pots.pot('a').put({ amount: 0 })
      assert.deepEqual(await pots.count.state({ atLeast: position }), { count: 3 * start })
      assert.equal(await pots.last.get('a', { atLeast: position }), undefined)
      assert.deepEqual(await pots.last.get('b'), { amount: 7 })
    }
  })
})
