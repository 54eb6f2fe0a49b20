/** Rows that are rebuilt beside the live ones, compared with them, and made live, on every store. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Progress } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { againWhile, codesOf, recorder, until, watched } from '../support/kernel/rig.ts'
import {
  checkRows,
  type Folded,
  foldOf,
  logFrom,
  type RunningRows,
  rowsOf,
  type StartRows,
  startRows,
} from '../support/read-side/pots.ts'
import { sized } from '../support/size.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const tenfold = (amount: number) => amount * 10
const amounts = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)

/** Rows of 40 pots, made by the plain function. */
async function filled(store: StoreFactory): Promise<Folded> {
  const pots = await startRows({ store })
  await Promise.all(amounts(0, 40).map((i) => pots.pot(`p${i}`).fill({ amounts: amounts(i * 100, 40) })))
  const { position } = await pots.projections.runOnce('rows')
  const folded = foldOf(await logFrom(pots, position))
  await pots.stop()
  return folded
}

const times = (folded: Folded, change: (amount: number) => number): Folded =>
  Object.fromEntries(Object.entries(folded).map(([key, row]) => [key, row.map(change)]))

const aRebuild = { title: 'A rebuild', quickOn: ['memory', 'sqlite'] } as const
await onEveryStore(aRebuild, ({ name, place }) => {
  test('makes rows with the current function, and reports progress until it is done', async (t) => {
    const store = await place(t)
    const old = await filled(store)
    await using pots = await startRows({ store, change: tenfold })
    assert.deepEqual(await rowsOf(pots), old)
    const seen: Progress[] = []
    const rebuilding = pots.projections.rebuild('rows')
    for await (const progress of rebuilding) seen.push(progress)
    assert.deepEqual(await rebuilding, { position: 1600, events: 1600 })
    assert.deepEqual(await rowsOf(pots), times(old, tenfold))
    for (const [i, { name, position, done, head }] of seen.entries()) {
      assert.deepEqual([name, head], ['rows', 1600])
      assert.ok(i === 0 || (position >= seen[i - 1]!.position && done >= seen[i - 1]!.done), 'it goes forward only')
    }
    const { position, done, remainingMs } = seen.at(-1)!
    assert.deepEqual([position, done, remainingMs], [1600, 1600, 0])
    await pots.pot('p1').put({ amount: 7 })
    await pots.projections.runOnce('rows')
    await checkRows(pots, tenfold)
  })

  test('starts when the revision was raised; the old rows are live meanwhile, and the new ones also after a restart', async (t) => {
    const store = await place(t)
    const old = await filled(store)
    const watch = watched(store)
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'readAll' ? gate.promise : undefined))
    const options = { change: tenfold, revision: 2, projections: 'automatic' } as const
    const pots = await startRows({ ...options, store: watch.store })
    await until('it builds', () => watch.count('readAll') > 0)
    assert.equal((await pots.projections.lookup('rows'))?.state, 'preparing')
    assert.deepEqual(await rowsOf(pots), old)
    gate.resolve()
    await until('the new rows serve', async () => (await pots.rows.get('p1'))?.amounts[0] === 1000)
    assert.deepEqual(await rowsOf(pots, 1600), times(old, tenfold))
    await pots.stop()
    await using again = await startRows({ ...options, store })
    const { position } = await again.pot('p2').put({ amount: 7 })
    await rowsOf(again, position)
    await checkRows(again, tenfold)
  })

  test('prevents a program of an older revision from reading and writing', async (t) => {
    const store = await place(t)
    await filled(store)
    const newer = await startRows({ store, revision: 2 })
    await newer.projections.runOnce('rows')
    await newer.stop()
    await using older = await startRows({ store })
    const outdated = [older.rows.get('p1'), rowsOf(older), older.projections.runOnce('rows')]
    assert.deepEqual(
      await codesOf(outdated),
      amounts(0, 3).map(() => 'PROJECTION_OUTDATED'),
    )
    await assert.rejects(async () => await older.projections.rebuild('rows'), { code: 'PROJECTION_OUTDATED' })
  })

  test('that is cancelled at any moment changes no rows, or all of them', async (t) => {
    const store = await place(t)
    const old = await filled(store)
    let change = tenfold
    let outcome: string | undefined
    let serving = old
    const stride = name === 'memory' ? 1 : sized(25, 40)
    for (let n = 1; outcome !== 'done'; n += stride) {
      const watch = watched(store)
      const controller = new AbortController()
      await using pots = await startRows({ store: watch.store, change: (amount) => change(amount) })
      watch.forget()
      watch.disturb(() => {
        if (watch.calls.length === n) controller.abort(new Error('changed my mind'))
        return undefined
      })
      const { signal } = controller
      outcome = await pots.projections.rebuild('rows', { signal }).then(
        () => 'done',
        (error: unknown) => (error as Error).message,
      )
      const isMet = watch.calls.length >= n
      watch.disturb(() => undefined)
      if (outcome === 'done') serving = times(old, change)
      else assert.equal(outcome, 'changed my mind')
      if (isMet && outcome === 'done') outcome = 'too late'
      assert.deepEqual(await rowsOf(pots), serving, `with n = ${n}`)
      // Another function, so that the next rows differ from the live ones.
      const factor = n + 10
      change = (amount) => amount * factor
    }
  })

  test('that meets an event that it cannot fold changes no rows, and can be tried again', async (t) => {
    const [store, sick] = [await place(t), new Set([417])]
    const old = await filled(store)
    await using pots = await startRows({ store, sick, change: tenfold, log: recorder() })
    await assert.rejects(async () => await pots.projections.rebuild('rows'), { code: 'PROJECTION_FAILED' })
    assert.deepEqual(await rowsOf(pots), old)
    sick.clear()
    await pots.projections.rebuild('rows')
    assert.deepEqual(await rowsOf(pots), times(old, tenfold))
  })

  test('parks events that it cannot fold if the policy says so, and those that queue behind them', async (t) => {
    const [store, sick] = [await place(t), new Set([417])]
    await filled(store)
    await using pots = await startRows({ store, sick, policy: { giveUp: 'park' } })
    await pots.projections.rebuild('rows')
    assert.deepEqual((await pots.rows.get('p4'))?.amounts, amounts(400, 17))
    assert.equal((await pots.projections.parked('rows')).length, 23)
    sick.clear()
    assert.deepEqual(await pots.projections.retryParked('rows'), { handled: 23, parked: 0 })
    await checkRows(pots)
  })

  test('loses and doubles no event that is appended meanwhile, again and again', async (t) => {
    await using pots = await startRows({ store: await place(t), projections: 'automatic' })
    let position = 0
    const fill = async () => {
      for (let i = 0; i < 60; i++) ({ position } = await pots.pot(`p${i % 5}`).fill({ amounts: amounts(i * 100, 20) }))
    }
    await againWhile(fill, async () => {
      await pots.projections.rebuild('rows')
    })
    await rowsOf(pots, position)
    await checkRows(pots)
  })

  test('excludes another rebuild and a comparison, which may run after it', async (t) => {
    const store = await place(t)
    await filled(store)
    const watch = watched(store)
    await using pots = await startRows({ store: watch.store })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'readAll' ? gate.promise : undefined))
    const first = pots.projections.rebuild('rows').then(({ events }) => events)
    await until('it builds', () => watch.count('readAll') > 0)
    await assert.rejects(async () => await pots.projections.rebuild('rows'), { code: 'REBUILD_RUNNING' })
    await assert.rejects(async () => await pots.projections.compare('rows'), { code: 'REBUILD_RUNNING' })
    gate.resolve()
    assert.equal(await first, 1600)
    assert.equal((await pots.projections.rebuild('rows')).events, 1600)
    await checkRows(pots)
  })
})

const aComparison = { title: 'A comparison', quickOn: ['memory', 'sqlite'] } as const
await onEveryStore(aComparison, ({ place }) => {
  test('finds exactly the rows that another function makes different, and changes nothing', async (t) => {
    const store = await place(t)
    const old = await filled(store)
    const options = { store, change: (amount: number) => (amount === 105 || amount === 2011 ? -amount : amount) }
    await using pots = await startRows(options)
    const { position, rows, differing, differences } = await pots.projections.compare('rows')
    assert.deepEqual([position, rows, differing], [1600, 40, 2])
    assert.deepEqual(
      differences.map(({ key, live, rebuilt }) => [key, live, rebuilt]),
      ['p1', 'p20'].map((key) => [key, { amounts: old[key] }, { amounts: old[key]!.map(options.change) }]),
    )
    const limited = await pots.projections.compare('rows', { limit: 1 })
    assert.deepEqual([limited.differing, limited.differences.length], [2, 1])
    assert.deepEqual(await rowsOf(pots), old)
  })

  test('finds nothing if nothing is different, even while events are appended and handled', async (t) => {
    await using pots = await startRows({ store: await place(t), projections: 'automatic' })
    const fill = async () => {
      for (let i = 0; i < 60; i++) await pots.pot(`p${i % 5}`).fill({ amounts: amounts(i * 100, 20) })
    }
    await againWhile(fill, async () => {
      const { differing, differences } = await pots.projections.compare('rows')
      assert.equal(differing, 0, JSON.stringify(differences))
    })
  })

  test('finds rows that are on one side only', async (t) => {
    const store = await place(t)
    await filled(store)
    await using pots = await startRows({ store, sick: new Set([700]), policy: { giveUp: 'park' } })
    const { differing, differences, rows } = await pots.projections.compare('rows')
    assert.deepEqual([differing, rows, differences[0]?.key, differences[0]?.rebuilt], [1, 40, 'p7', undefined])
    await pots.projections.rebuild('rows')
    await using healed = await startRows({ store: await place(t) })
    assert.equal((await healed.projections.compare('rows')).differing, 0)
  })
})

/** Reads the rows of a domain again and again until it is stopped. Every read has to see all keys. */
function readOn(pots: RunningRows, keys: readonly string[]): () => Promise<number> {
  let isOn = true
  let reads = 0
  const reading = (async () => {
    for (; isOn; reads++) {
      const all = await rowsOf(pots)
      assert.deepEqual(Object.keys(all).sort(), [...keys].sort())
      assert.notEqual(await pots.rows.get(keys[reads % keys.length]!), undefined)
      await setImmediate()
    }
  })()
  reading.catch(() => {})
  return async () => {
    isOn = false
    await reading
    return reads
  }
}

const follow = (options: StartRows) => startRows({ projections: 'automatic', pollIntervalMs: 5, ...options })

const several = { title: 'With several domains on one store, a rebuild', quickOn: ['memory', 'postgres'] } as const
await onEveryStore(several, ({ place, severalWriters, injectedClock }) => {
  const testHere = testWhere(severalWriters)
  const testWithClock = testWhere(severalWriters && injectedClock)

  testHere('never makes a row missing for a reader of another domain, while it switches again and again', async (t) => {
    const store = await place(t)
    const old = await filled(store)
    await using one = await startRows({ store })
    await using running = await follow({ store })
    await using reader = await startRows({ store })
    const ends = [readOn(running, Object.keys(old)), readOn(reader, Object.keys(old))]
    for (let round = 0; round < sized(4, 2); round++) await one.projections.rebuild('rows')
    for (const end of ends) assert.ok((await end()) > 0)
    for (const pots of [one, running, reader]) assert.deepEqual(await rowsOf(pots, 1600), old)
  })

  testHere('keeps the position for which a reader of another domain has waited', async (t) => {
    const store = await place(t)
    await using rebuilding = await startRows({ store })
    await using running = await follow({ store })
    await using standby = await follow({ store })
    let rebuilds = 0
    const read = async () => {
      for (let i = 0; i < sized(41, 21); i++) {
        const { position } = await running.pot('a').put({ amount: i })
        for (const pots of [running, standby, rebuilding]) {
          if (pots === rebuilding && i % 20 > 0) continue
          if (pots === rebuilding) await pots.projections.runOnce('rows')
          const row = await pots.rows.get('a', { atLeast: position })
          assert.equal(row?.amounts.at(-1), i)
          assert.equal((await rowsOf(pots, position))['a']?.at(-1), i)
        }
      }
    }
    await againWhile(read, async () => {
      // A domain that has just started may be cleaning up after a rebuild that it found in progress.
      const refusals = await codesOf([Promise.resolve(rebuilding.projections.rebuild('rows'))])
      if (refusals[0] === 'ok') rebuilds++
      else assert.deepEqual(refusals, ['REBUILD_RUNNING'])
    })
    assert.ok(rebuilds > 0)
    await checkRows(running)
  })

  for (const [moment, reads] of Object.entries({ 'at its first step': 1, 'before it switches': 3 })) {
    testWithClock(`excludes a rebuild of another domain until its lease has expired, ${moment}`, async (t) => {
      const store = await place(t)
      const old = await filled(store)
      const environment = manualEnvironment()
      const [watch, otherWatch] = [watched(store), watched(store)]
      const options = { environment, log: recorder() }
      await using slow = await startRows({ ...options, store: watch.store, change: tenfold })
      await using other = await startRows({ ...options, store: otherWatch.store, change: (amount) => -amount })
      const [gate, otherGate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const first = watch.count('readAll')
      watch.disturb(({ method, number }) =>
        method === 'readAll' && number >= first + reads ? gate.promise : undefined,
      )
      const lost = codesOf([slow.projections.rebuild('rows').then()])
      await until('the slow one has come so far', () => watch.count('readAll') === first + reads)
      await assert.rejects(async () => await other.projections.rebuild('rows'), { code: 'REBUILD_RUNNING' })
      await environment.advance(20_000)
      const before = otherWatch.count('readAll')
      otherWatch.disturb(({ method }) => (method === 'readAll' ? otherGate.promise : undefined))
      const rebuilding = other.projections.rebuild('rows').then()
      await until('the other builds', () => otherWatch.count('readAll') > before)
      // The slow one notices, switches to nothing, and deletes nothing of the other's.
      assert.deepEqual(await rowsOf(slow), old)
      gate.resolve()
      assert.deepEqual(await lost, ['REBUILD_RUNNING'])
      assert.deepEqual(await rowsOf(slow), old)
      otherGate.resolve()
      assert.equal((await rebuilding).events, 1600)
      for (const pots of [slow, other])
        assert.deepEqual(
          await rowsOf(pots),
          times(old, (amount) => -amount),
        )
    })
  }

  testHere('of a newer program takes the projection over from an older one that runs', async (t) => {
    const store = await place(t)
    await filled(store)
    const log = recorder()
    const leaseMs = sized(10_000, 1000)
    await using older = await follow({ store, log, leaseMs })
    const before = await older.pot('p0').put({ amount: 1 })
    await rowsOf(older, before.position)
    await using newer = await follow({ store, leaseMs, revision: 2, change: tenfold })
    const { position } = await newer.pot('p1').put({ amount: 2 })
    assert.equal((await newer.rows.get('p1', { atLeast: position }))?.amounts.at(-1), 20)
    await until(
      'the older one has found out',
      async () => (await older.projections.status('rows').catch(() => ({ state: 'failed' }))).state === 'failed',
    )
    await until('the newer one runs', async () => (await newer.projections.status('rows')).state === 'running')
    assert.deepEqual(await codesOf([older.rows.get('p1')]), ['PROJECTION_OUTDATED'])
    await until('it is said', () => log.codes().includes('PROJECTION_STOPPED'))
    await rowsOf(newer, (await older.pot('p3').put({ amount: 3 })).position)
    await checkRows(newer, tenfold)
  })
})
