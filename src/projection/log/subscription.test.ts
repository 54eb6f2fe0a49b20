/** Subscriptions: from a position on, then live. `test/race/switch-race.test.ts` lets writers race the switch. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { z } from 'zod'
import { systemEnvironment } from '../../application/system-environment.ts'
import { aggregate, domain, event, memory, projection } from '../../index.ts'
import { commit } from '../../store/commit.ts'
import type { StoredEvent } from '../../store/store.ts'
import { type SubscriptionContext, subscribe } from './subscription.ts'
import { Tail } from './tail.ts'

const open = () => memory().open({ warn: () => {}, now: Date.now })

type OpenStore = Awaited<ReturnType<typeof open>>

let made = 0
const append = (store: OpenStore, aggregate: string, count = 1, tags: readonly string[] = []) =>
  store.append([
    commit({
      stream: { aggregate, id: `s${made % 7}` },
      expected: 'any',
      id: `c${++made}`,
      recordedAt: 0,
      events: Array.from({ length: count }, () => ({ type: `${aggregate}Happened`, data: made, tags })),
    }),
  ])

const context = (store: SubscriptionContext['store'], pollIntervalMs = 60_000): SubscriptionContext => ({
  store,
  tail: new Tail({ store, environment: systemEnvironment, pollIntervalMs }),
  environment: systemEnvironment,
  stopped: new AbortController().signal,
})

/** The next `count` events of a subscription. */
async function take(events: AsyncGenerator<StoredEvent, void, void>, count: number): Promise<readonly number[]> {
  const positions: number[] = []
  while (positions.length < count) {
    const { value, done } = await events.next()
    if (done || value === undefined) break
    positions.push(value.position)
  }
  return positions
}

describe('A subscription', () => {
  test('gives the stored events from a position on, then new ones', async () => {
    const store = await open()
    await append(store, 'a', 3)
    const events = subscribe(context(store), { from: 2 })
    assert.deepEqual(await take(events, 2), [2, 3])
    const next = take(events, 2)
    await append(store, 'a', 2)
    assert.deepEqual(await next, [4, 5])
    await events.return()
  })

  test('that is aborted while a read begins leaves nobody without an answer if the read fails later', async () => {
    const store = await open()
    const reader = new AbortController()
    const failed = Promise.withResolvers<never>()
    const slow = Object.assign(store, {
      readAll: () => {
        reader.abort(new Error('left'))
        return failed.promise
      },
    })
    const events = subscribe(context(slow), { signal: reader.signal })
    await assert.rejects(take(events, 1), /left/)
    // A failure that nobody listens to would end this test.
    failed.reject(new Error('too late'))
    await nextTurn()
  })

  test('from now on gives no event from before its call', async () => {
    const store = await open()
    await append(store, 'a', 3)
    const events = subscribe(context(store), { from: 'now' })
    await append(store, 'a', 1)
    assert.deepEqual(await take(events, 1), [4])
    await events.return()
  })

  test('filters by type, aggregate and tag, and moves past events that do not match', async () => {
    const store = await open()
    const byType = subscribe(context(store), { types: ['bHappened'], pageSize: 2 })
    const byAggregate = subscribe(context(store), { aggregates: ['b'], pageSize: 3 })
    const byTag = subscribe(context(store), { tags: ['t'] })
    for (let i = 0; i < 50; i++) await append(store, i % 10 === 0 ? 'b' : 'a', 1, i % 25 === 0 ? ['t'] : [])
    assert.deepEqual(await take(byType, 5), [1, 11, 21, 31, 41])
    assert.deepEqual(await take(byAggregate, 5), [1, 11, 21, 31, 41])
    assert.deepEqual(await take(byTag, 2), [1, 26])
    for (const events of [byType, byAggregate, byTag]) await events.return()
  })

  test('reads no page before its reader asks for one, so a slow reader is not flooded', async () => {
    const store = await open()
    for (let i = 0; i < 20; i++) await append(store, 'a')
    let reads = 0
    const counting = new Proxy(store, {
      get(target, name) {
        if (name === 'readAll') reads++
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const events = subscribe(context(counting), { pageSize: 10 })
    assert.equal(reads, 0)
    await take(events, 10)
    assert.equal(reads, 1)
    await take(events, 1)
    assert.equal(reads, 2)
    await events.return()
  })

  test('finds by its poll an event without a hint', async () => {
    const store = await open()
    const deaf = new Proxy(store, {
      get(target, name) {
        if (name === 'onAppend') return () => () => {}
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const events = subscribe(context(deaf, 1), {})
    const next = take(events, 1)
    await append(store, 'a')
    assert.deepEqual(await next, [1])
    await events.return()
  })

  test('ends at once with the reason of its signal, waiting or not', async () => {
    const store = await open()
    const controller = new AbortController()
    const events = subscribe(context(store), { signal: controller.signal })
    const next = events.next()
    controller.abort(new Error('enough'))
    await assert.rejects(next, /enough/)
    const aborted = subscribe(context(store), { signal: AbortSignal.abort(new Error('too late')) })
    await assert.rejects(aborted.next(), /too late/)
  })

  test('refuses an invalid position and an invalid page size', async () => {
    const store = await open()
    for (const from of [-1, 1.5, Number.NaN, 'soon' as 'now']) {
      assert.throws(() => subscribe(context(store), { from }), { code: 'OPTION_INVALID' })
    }
    assert.throws(() => subscribe(context(store), { pageSize: 0 }), { code: 'OPTION_INVALID' })
  })
})

describe('bank.events', () => {
  const Raised = event('Raised', z.object({ at: z.coerce.date() }))
  const Counter = aggregate('counter', () => ({ count: 0 }))
    .on(Raised, ({ count }) => ({ count: count + 1 }))
    .command('raise', z.object({}), (_, __, { now }) => Raised({ at: now }))
  const Counts = projection('counts', () => 0).on(Raised, (count) => count + 1)
  const Counting = domain({ aggregates: { counter: Counter }, projections: { counts: Counts } })

  test('gives events with their data as the schema returns it', async () => {
    await using counting = await Counting.start()
    await counting.counter('a').raise()
    for await (const { type, data, stream } of counting.events({ types: ['Raised'] })) {
      assert.equal(type, 'Raised')
      assert.ok(data.at instanceof Date)
      assert.equal(stream.id, 'a')
      break
    }
  })

  test('ends without an error when the domain stops', async () => {
    const counting = await Counting.start()
    const reading = Array.fromAsync(counting.events())
    await counting.counter('a').raise()
    await counting.stop()
    assert.ok((await reading).length <= 1)
  })

  test('can be left, and continued after the last position', async () => {
    await using counting = await Counting.start()
    for (let i = 0; i < 4; i++) await counting.counter('a').raise()
    const controller = new AbortController()
    const seen: number[] = []
    for await (const { position } of counting.events({ signal: controller.signal })) {
      seen.push(position)
      if (position === 2) break
    }
    for await (const { position } of counting.events({ from: seen.at(-1)! + 1 })) {
      seen.push(position)
      if (position === 4) break
    }
    assert.deepEqual(seen, [1, 2, 3, 4])
  })

  test('continues after an event that was handled', async () => {
    await using counting = await Counting.start()
    for (let i = 0; i < 4; i++) await counting.counter('a').raise()
    const controller = new AbortController()
    const [first, second] = await takeEvents(counting.events({ signal: controller.signal }), 2)
    assert.deepEqual((await takeEvents(counting.events({ after: second! }), 1))[0]?.position, 3)
    const { position, checksum } = first!
    assert.deepEqual((await takeEvents(counting.events({ after: { position, checksum } }), 1))[0]?.position, 2)
  })

  test('refuses to continue after a place that is not in the log', async () => {
    await using counting = await Counting.start()
    for (let i = 0; i < 3; i++) await counting.counter('a').raise()
    const [, second] = await takeEvents(counting.events(), 2)
    const { position, checksum } = second!
    for (const options of [
      { after: { position, checksum: checksum + 1 } },
      { after: { position: 4 } },
      { after: { position: 1000, checksum } },
      { from: 5 },
      { from: 1000 },
    ]) {
      await assert.rejects(takeEvents(counting.events(options), 1), { code: 'LOG_REPLACED' })
    }
    for (const options of [{ after: {} }, { after: null }, { after: 2 }, { after: second!, from: 3 }]) {
      assert.throws(() => counting.events(options as never), { code: 'OPTION_INVALID' })
    }
  })
})

async function takeEvents<Event>(events: AsyncIterable<Event>, count: number): Promise<readonly Event[]> {
  const taken: Event[] = []
  for await (const event of events) {
    taken.push(event)
    if (taken.length === count) break
  }
  return taken
}

describe('A log that went back', () => {
  /** A store whose log is another one from some time on, as after a failover or after a backup was restored. */
  async function replaceable(counts: readonly number[]): Promise<{ readonly store: OpenStore; replace(): void }> {
    const logs = await Promise.all(counts.map(() => open()))
    for (const [i, log] of logs.entries()) for (let n = 0; n < counts[i]!; n++) await append(log, 'a')
    let current = 0
    const store = new Proxy(logs[0]!, {
      get: (_, key) => {
        const log = logs[current]!
        const value = log[key as keyof OpenStore]
        return typeof value === 'function' ? value.bind(log) : value
      },
    })
    return { store, replace: () => current++ }
  }

  for (const [what, count] of [
    ['is shorter', 3],
    ['is as long', 8],
    ['is longer by now', 12],
  ] as const) {
    test(`and ${what} ends a subscription with an error, whether it reads or waits`, async () => {
      const { store, replace } = await replaceable([8, count])
      const events = subscribe(context(store, 1), { types: ['aHappened'] })
      assert.deepEqual(await take(events, 8), [1, 2, 3, 4, 5, 6, 7, 8])
      const next = events.next()
      replace()
      // A log of the same length is noticed when it grows.
      if (count === 8) await append(store, 'a')
      await assert.rejects(next, { code: 'LOG_REPLACED' })
    })
  }
})
