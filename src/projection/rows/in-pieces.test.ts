/**
 * Long work of the read side is done in pieces. However much there is to do, the event loop turns every few
 * milliseconds, and a signal ends the work soon. Time passes only when a test says so, so nothing depends on the speed
 * of the machine.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { codesOf, recorder, until } from '../../../test/support/kernel/rig.ts'
import { Pot, Put, startRows } from '../../../test/support/read-side/pots.ts'
import { systemEnvironment } from '../../application/system-environment.ts'
import { domain, type Json, memory, projection, reaction } from '../../index.ts'
import { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import { sortInPieces } from '../../runtime/sort-in-pieces.ts'
import type { ProjectionStore, Row, RowQuery } from '../../store/store.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { Generations } from '../checkpoint/generations.ts'
import { findRows } from '../reading/find.ts'
import { compareRows } from '../rebuilding/compare-rows.ts'
import { PositionWaiters } from '../running/position-waiters.ts'
import { listParked, parkedRow } from '../stored/parked-events.ts'

/** The longest time without a turn of the event loop: 8 ms, and the time of the piece that is in progress then. */
const longestMax = 12

/** A clock that moves when a test says so, and a record of the turns of the event loop. */
function slowTime(passesByItself = 0) {
  const time = { elapsedMs: 0, turns: 0, longestMs: 0, turnedAt: 0 }
  const pass = (ms: number) => {
    time.elapsedMs += ms
    time.longestMs = Math.max(time.longestMs, time.elapsedMs - time.turnedAt)
  }
  const environment: Environment = {
    ...systemEnvironment,
    elapsed: () => {
      pass(passesByItself)
      return time.elapsedMs
    },
    defer: (callback) =>
      systemEnvironment.defer(() => {
        time.turns++
        time.turnedAt = time.elapsedMs
        callback()
      }),
  }
  return { time, pass, environment }
}

/** A store of rows. Looking at a row takes a millisecond. */
function slowRows(count: number, pass: (ms: number) => void): ProjectionStore {
  const rows = Array.from({ length: count }, (_, i): Row => {
    const value = {
      get n() {
        pass(1)
        return (i * 7919) % count
      },
    }
    return { key: `k${String(i).padStart(6, '0')}`, value: value as unknown as Json }
  })
  const byKey = new Map(rows.map(({ key, value }) => [key, value]))
  return {
    listRows: async (_: string, { after = '', prefix = '', limit }: RowQuery) => {
      const page = rows.filter(({ key }) => key > after && key.startsWith(prefix)).slice(0, limit)
      const last = page.at(-1)?.key
      return last === undefined || last === rows.at(-1)?.key ? { rows: page } : { rows: page, next: last }
    },
    loadRows: async (_: string, keys: readonly string[]) => keys.map((key) => byKey.get(key)),
    loadCheckpoint: async () => ({ position: 0, term: 0, note: {} }),
  } as unknown as ProjectionStore
}

describe('Finding rows', () => {
  test('lets the event loop turn every few milliseconds', async () => {
    const { time, pass, environment } = slowTime()
    const query = { orderBy: ['n'], limit: 10 }
    const source = { store: slowRows(2500, pass), storage: 'p', breath: new Breath(environment) }
    const { rows: found } = await findRows(source, query)
    assert.deepEqual(
      found.map(({ row }) => (row as { n: number }).n),
      Array.from({ length: 10 }, (_, i) => i),
    )
    assert.ok(time.longestMs <= longestMax, `${time.longestMs} ms without a turn`)
    assert.ok(time.elapsedMs >= 2500)
  })

  test('ends with the reason of its signal, soon', async () => {
    const controller = new AbortController()
    const { time, pass, environment } = slowTime()
    const store = slowRows(5000, (ms) => {
      pass(ms)
      if (time.elapsedMs >= 300) controller.abort(new Error('enough'))
    })
    const breath = new Breath(environment, controller.signal)
    await assert.rejects(findRows({ store, storage: 'p', breath }, {}), /enough/)
    assert.ok(time.elapsedMs <= 300 + longestMax, `it ended after ${time.elapsedMs} ms`)
  })

  test('of a running domain ends with the reason of the signal of its reader', async () => {
    await using pots = await startRows({})
    await pots.pot('a').put({ amount: 1 })
    await pots.projections.runOnce('rows')
    await assert.rejects(pots.rows.find({}, { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
  })
})

test('comparing rows lets the event loop turn, and ends with the reason of its signal', async () => {
  const controller = new AbortController()
  const { time, pass, environment } = slowTime()
  const [live, rebuilt] = [slowRows(2500, pass), slowRows(2500, pass)]
  const store = {
    listRows: live.listRows,
    loadRows: (_: string, keys: readonly string[]) => rebuilt.loadRows('p', keys),
  } as unknown as ProjectionStore
  assert.equal((await compareRows(store, 'live', 'rebuilt', 1, new Breath(environment))).differing, 0)
  assert.ok(time.longestMs <= longestMax, `${time.longestMs} ms without a turn`)
  const breath = new Breath(environment, controller.signal)
  const comparing = compareRows(store, 'live', 'rebuilt', 1, breath)
  controller.abort(new Error('enough'))
  await assert.rejects(comparing, /enough/)
})

describe('A list that is sorted in pieces', () => {
  test('has the same order as one that is sorted at once, and equal elements keep their order', async () => {
    const items = fc.array(fc.record({ rank: fc.integer({ min: 0, max: 40 }), id: fc.integer() }), { maxLength: 3000 })
    const compare = (a: { rank: number }, b: { rank: number }) => a.rank - b.rank
    await fc.assert(
      fc.asyncProperty(items, async (list) => {
        const sorted = await sortInPieces(list, compare, new Breath(systemEnvironment))
        assert.deepEqual(sorted, [...list].sort(compare))
      }),
      { numRuns: 50 },
    )
  })

  test('lets the event loop turn', async () => {
    const { time, pass, environment } = slowTime()
    const numbers = Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 20_000)
    const compare = (a: number, b: number) => {
      pass(0.001)
      return a - b
    }
    const sorted = await sortInPieces(numbers, compare, new Breath(environment))
    assert.deepEqual(
      sorted,
      numbers.map((_, i) => i),
    )
    assert.ok(time.longestMs <= 2 * longestMax, `${time.longestMs} ms without a turn`)
  })
})

describe('A projection with much to fold', () => {
  const amounts = Array.from({ length: 600 }, (_, i) => i)
  const slow = (pass: (ms: number) => void) =>
    projection('slow', () => ({ count: 0 }))
      .on(Put, ({ count }) => {
        pass(1)
        return { count: count + 1 }
      })
      .by(({ data: { amount } }) => `row ${amount % 10}`)
  const started = async (pass: (ms: number) => void, environment: Environment, store = memory()) =>
    domain({ aggregates: { pot: Pot }, projections: { slow: slow(pass) } }).start({
      store,
      environment,
      projections: 'manual',
      log: recorder(),
    })

  test('lets the event loop turn every few milliseconds', async () => {
    const { time, pass, environment } = slowTime()
    await using pots = await started(pass, environment)
    await pots.pot('a').fill({ amounts })
    time.longestMs = 0
    await pots.projections.runOnce('slow')
    assert.deepEqual(await pots.slow.get('row 3'), { count: 60 })
    assert.ok(time.longestMs <= longestMax, `${time.longestMs} ms without a turn`)
    time.longestMs = 0
    await pots.projections.rebuild('slow')
    assert.ok(time.longestMs <= longestMax, `${time.longestMs} ms without a turn while it was built again`)
  })

  test('stops in the middle of a batch, and handles the batch another time', async () => {
    const store = memory()
    const { time, pass, environment } = slowTime()
    let stopping: Promise<void> | undefined
    const pots = await started(
      (ms) => {
        pass(ms)
        if (time.elapsedMs >= 300) stopping ??= pots.projections.stop('slow')
      },
      environment,
      store,
    )
    await pots.pot('a').fill({ amounts })
    await pots.projections.start('slow')
    await until('it is stopping', () => stopping !== undefined)
    await stopping
    assert.ok(time.elapsedMs <= 300 + longestMax, `it stopped after ${time.elapsedMs} ms`)
    await pots.stop()
    await using again = await started(() => {}, environment, store)
    await again.projections.runOnce('slow')
    assert.deepEqual(await again.slow.get('row 3'), { count: 60 })
  })

  test('ends a rebuild in the middle of a batch with the reason of its signal', async () => {
    const controller = new AbortController()
    const { time, pass, environment } = slowTime()
    await using pots = await started((ms) => {
      pass(ms)
      if (time.elapsedMs >= 300) controller.abort(new Error('enough'))
    }, environment)
    await pots.pot('a').fill({ amounts })
    const rebuilding = (async () => pots.projections.rebuild('slow', { signal: controller.signal }))()
    await assert.rejects(rebuilding, /enough/)
    assert.ok(time.elapsedMs <= 300 + longestMax, `it ended after ${time.elapsedMs} ms`)
  })
})

test('a reaction whose handler takes no time lets the event loop turn between its steps', async () => {
  const { time, pass, environment } = slowTime()
  const Quick = reaction('quick').on(Put, () => pass(0.05))
  const Pots = domain({ aggregates: { pot: Pot }, reactions: { quick: Quick } })
  await using pots = await Pots.start({ environment, projections: 'manual', log: recorder() })
  await pots.pot('a').fill({ amounts: Array.from({ length: 3000 }, (_, i) => i) })
  time.longestMs = 0
  await pots.reactions.runOnce('quick')
  assert.ok(time.elapsedMs >= 149)
  assert.ok(time.longestMs <= longestMax, `${time.longestMs} ms without a turn`)
})

test('a projection as code lets the event loop turn while it reads its events', async () => {
  const { time, pass, environment } = slowTime()
  const handled: number[] = []
  const Seeing = projection('seeing')
    .handle([Put], (events) => {
      handled.push(events.length)
    })
    .by(({ stream }) => {
      pass(1)
      return stream.id
    })
  const Pots = domain({ aggregates: { pot: Pot }, projections: { seeing: Seeing } })
  await using pots = await Pots.start({ environment, projections: 'manual', log: recorder() })
  await pots.pot('a').fill({ amounts: Array.from({ length: 500 }, (_, i) => i) })
  time.longestMs = 0
  await pots.projections.runOnce('seeing')
  assert.deepEqual(handled, [500])
  assert.ok(time.longestMs <= longestMax, `${time.longestMs} ms without a turn`)
})

test('a subscription lets the event loop turn while its reader goes through many events', async () => {
  const { time, pass, environment } = slowTime()
  await using pots = await startRows({ environment })
  await pots.pot('a').fill({ amounts: Array.from({ length: 500 }, (_, i) => i) })
  time.longestMs = 0
  for await (const { position } of pots.events()) {
    pass(1)
    if (position === 500) break
  }
  assert.ok(time.longestMs <= longestMax, `${time.longestMs} ms without a turn`)
})

test('a list of many parked events is read in pieces', async () => {
  const store = await memory().open({ now: () => 0, warn: () => {} })
  const rows = Array.from({ length: 2500 }, (_, i) =>
    parkedRow({ position: i + 1, type: 'Put', stream: { aggregate: 'pot', id: 'a' } }, ['a'], 'why', 7),
  )
  await store.saveStep('p', { from: at(0), to: at(5), rows })
  const { time, environment } = slowTime(1)
  assert.equal((await listParked(store, 'p', new Breath(environment))).length, 2500)
  assert.ok(time.turns > 200, `the event loop turned ${time.turns} times`)
  assert.ok(time.longestMs <= longestMax, `${time.longestMs} ms without a turn`)
})

test('retired rows are deleted in pieces, and the rest is left when the signal aborts', async () => {
  const store = await memory().open({ now: () => 0, warn: () => {} })
  const breath = new Breath(systemEnvironment)
  const controller = new AbortController()
  const generations = new Generations('p', 2, store)
  const rows = Array.from({ length: 3500 }, (_, i) => ({ key: `k${i}`, value: i }))
  await store.saveStep('p', { from: at(0), to: at(5), rows })
  await generations.finish(await generations.begin('x', false))
  const { environment } = slowTime(4)
  let turns = 0
  const aborting = new Breath(
    {
      ...environment,
      defer: (callback) => {
        if (++turns === 2) controller.abort(new Error('enough'))
        environment.defer(callback)
      },
    },
    controller.signal,
  )
  await assert.rejects(generations.tidy(aborting), /enough/)
  const left = (await store.listRows('p', { limit: 5000 })).rows.length
  assert.ok(left > 0 && left < 3500, `${left} are left`)
  assert.ok(generations.hasLeftovers)
  await generations.tidy(breath)
  assert.deepEqual([(await store.listRows('p', { limit: 1 })).rows, generations.hasLeftovers], [[], false])
})

describe('Many readers that wait for positions', () => {
  test('are answered in pieces, in the order in which they began to wait for each position', async () => {
    const { time, environment } = slowTime(0.01)
    const waiters = new PositionWaiters('p', environment, () => ({ retrying: undefined, othersUntil: undefined }))
    const told: number[] = []
    const waits = Array.from({ length: 5000 }, (_, i) =>
      waiters.wait((i * 7) % 100, 60_000, undefined).then(() => told.push((i * 7) % 100)),
    )
    waiters.reach(49)
    assert.equal(waiters.nearest === undefined, false)
    waiters.reach(100)
    await Promise.all(waits)
    assert.equal(waiters.nearest, undefined)
    assert.deepEqual(
      told,
      [...told].sort((a, b) => a - b),
    )
    assert.ok(time.turns >= 1)
    assert.ok(time.longestMs <= longestMax, `${time.longestMs} ms without a turn`)
  })

  test('are answered in pieces if the time of all ends at once', async () => {
    const { time, environment, pass } = slowTime(0.01)
    const rings: (() => void)[] = []
    const after: Environment['after'] = (_, callback) => {
      rings.push(callback)
      return () => {}
    }
    const heldUp = () => {
      pass(0.01)
      return { retrying: undefined, othersUntil: undefined }
    }
    const waiters = new PositionWaiters('p', { ...environment, after }, heldUp)
    const codes = codesOf(Array.from({ length: 5000 }, (_, i) => waiters.wait(i % 100, 10, undefined)))
    waiters.reach(49)
    for (const ring of rings) ring()
    assert.deepEqual(
      (await codes).filter((code) => code === 'PROJECTION_BEHIND').length,
      2500,
      'those behind the position that was reached',
    )
    assert.equal(waiters.nearest, undefined)
    assert.ok(time.turns >= 1)
    assert.ok(time.longestMs <= longestMax, `${time.longestMs} ms without a turn`)
  })

  test('are not answered by a position that may have changed, and do not wait for a look beyond their time limit', async () => {
    const environment = manualEnvironment()
    const waiters = new PositionWaiters('p', environment, () => ({ retrying: undefined, othersUntil: undefined }))
    waiters.reach(7)
    const never = new Promise<void>(() => {})
    const looks = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const waits = [never, ...looks.map(({ promise }) => promise)].map((look) => waiters.wait(5, 10, undefined, look))
    const codes = codesOf(waits)
    looks[0]!.resolve()
    looks[1]!.reject(Object.assign(new Error('it is another'), { code: 'ANOTHER' }))
    await waits[1]
    // As after a reset that the look has found.
    waiters.reach(0)
    looks[2]!.resolve()
    await environment.advance(10)
    assert.deepEqual(await codes, ['PROJECTION_BEHIND', 'ok', 'ANOTHER', 'PROJECTION_BEHIND'])
    assert.equal(waiters.nearest, undefined)
  })

  test('learn what ended their wait: the position, the time limit, the signal, or the end', async () => {
    const environment = manualEnvironment()
    const waiters = new PositionWaiters('p', environment, () => ({ retrying: undefined, othersUntil: undefined }))
    const controller = new AbortController()
    const wait = (atLeast: number, timeoutMs = 60_000, signal?: AbortSignal) => waiters.wait(atLeast, timeoutMs, signal)
    const waits = [wait(7), wait(5), wait(5, 10), wait(9), wait(7, 60_000, controller.signal), wait(6)]
    const codes = codesOf(waits)
    await environment.advance(10)
    controller.abort(Object.assign(new Error('enough'), { code: 'ENOUGH' }))
    waiters.reach(6)
    waiters.reach(7)
    waiters.end()
    assert.deepEqual(await codes, ['ok', 'ok', 'PROJECTION_BEHIND', 'STOPPED', 'ENOUGH', 'ok'])
    assert.equal(waiters.nearest, undefined)
    await assert.rejects(wait(8), { code: 'STOPPED' })
    waiters.begin()
    const again = wait(8)
    waiters.reach(8)
    await again
  })
})
