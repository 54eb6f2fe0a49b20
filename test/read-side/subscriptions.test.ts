/** Subscriptions on a running domain: where they begin, what they filter, what wakes them, and how they end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { settled, stands, until, watched } from '../support/kernel/rig.ts'
import { type RunningRows, startRows } from '../support/read-side/pots.ts'
import { wired } from '../support/read-side/wire.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const fill = (pots: RunningRows, id: string, from: number, count: number) =>
  pots.pot(id).fill({ amounts: Array.from({ length: count }, (_, i) => from + i) })

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** The timers of a reader that waits: one for its poll, and one that keeps the process alive. */
const resting = 2

type Options = NonNullable<Parameters<RunningRows['events']>[0]>

/** Positions as they come; `positions` grows while it runs. */
function follow(pots: RunningRows, options: Options = {}) {
  const controller = new AbortController()
  const positions: number[] = []
  const ended = (async () => {
    for await (const { position } of pots.events({ ...options, signal: controller.signal })) positions.push(position)
  })()
  ended.catch(() => {})
  const leave = async () => {
    controller.abort(new Error('left'))
    await assert.rejects(ended, /left/)
  }
  return { positions, ended, leave }
}

const subscription = { title: 'A subscription', quickOn: ['memory', 'sqlite', 'postgres'] } as const
await onEveryStore(subscription, ({ place }) => {
  test('begins at the origin, at a position, or now, and continues with new events', async (t) => {
    await using pots = await startRows({ store: await place(t) })
    await fill(pots, 'a', 1, 5)
    const [origin, fourth, now] = [follow(pots), follow(pots, { from: 4 }), follow(pots, { from: 'now' })]
    await until('the past is read', () => origin.positions.length === 5 && fourth.positions.length === 2)
    await fill(pots, 'b', 6, 2)
    await until('all have what came', () => [origin, fourth, now].every(({ positions }) => positions.includes(7)))
    assert.deepEqual(origin.positions, range(1, 7))
    assert.deepEqual(fourth.positions, range(4, 7))
    assert.deepEqual(now.positions, [6, 7])
    for (const each of [origin, fourth, now]) await each.leave()
  })

  test('at the end waits for new events; beyond it, it ends with LOG_REPLACED, because that place is unknown', async (t) => {
    await using pots = await startRows({ store: await place(t) })
    await fill(pots, 'a', 1, 3)
    const [next, beyond] = [follow(pots, { from: 4 }), follow(pots, { from: 5 })]
    await assert.rejects(beyond.ended, { code: 'LOG_REPLACED' })
    await fill(pots, 'a', 4, 3)
    await until('it has the last', () => next.positions.includes(6))
    assert.deepEqual(next.positions, [4, 5, 6])
    await next.leave()
  })

  test('loses and doubles nothing while appends race the switch from catching up to live', async (t) => {
    await using pots = await startRows({ store: await place(t) })
    await fill(pots, 'past', 1, 40)
    const total = 160
    const writing = range(0, 3).map(async (writer) => {
      for (let i = 0; i < 30; i++) await pots.pot(`w${writer}`).put({ amount: 1000 + writer * 100 + i })
    })
    const readers = [1, 2, 7, 1000].map((pageSize) => follow(pots, { pageSize }))
    await Promise.all(writing)
    await until('all have read all', () => readers.every(({ positions }) => positions.length >= total))
    for (const { positions } of readers) assert.deepEqual(positions, range(1, total))
    for (const each of readers) await each.leave()
  })

  test('moves past events that its filter leaves out, and does not read them again', async (t) => {
    const watch = watched(await place(t))
    await using pots = await startRows({ store: watch.store })
    await pots.pot('a').rustle({ times: 30 })
    const puts = follow(pots, { types: ['Put'] })
    await fill(pots, 'a', 1, 1)
    await until('it has the first', () => puts.positions.length === 1)
    await pots.pot('a').rustle({ times: 30 })
    await fill(pots, 'a', 2, 1)
    await until('it has the second', () => puts.positions.length === 2)
    assert.deepEqual(puts.positions, [31, 62])
    await puts.leave()
    const froms = watch.calls.flatMap(({ method, args }) =>
      method === 'readAll' ? [(args[0] as { readonly from: number }).from] : [],
    )
    assert.ok(
      froms.some((from) => from >= 62),
      `it went on from ${froms}`,
    )
    assert.deepEqual(
      froms,
      [...froms].sort((a, b) => a - b),
    )
  })

  test('does not miss an event whose hint comes before it can be seen', async (t) => {
    const wire = wired(await place(t))
    const environment = manualEnvironment()
    await using pots = await startRows({ store: wire.store, environment, pollIntervalMs: 700 })
    const watching = follow(pots)
    await until('it rests', () => wire.listeners === 1 && environment.timers === resting)
    wire.ring()
    assert.ok(environment.timers < resting, 'it is awake')
    await until('it rests again, having seen nothing', () => environment.timers === resting)
    wire.cut()
    // It stays cut, because a store may hint after it has answered, and that would wake the reader too.
    await fill(pots, 'a', 1, 1)
    await settled()
    assert.deepEqual(watching.positions, [])
    await until('its poll has found it', async () => {
      await environment.advance(700)
      return watching.positions.length === 1
    })
    await watching.leave()
  })

  test('finds events by its poll while hints are lost, and is woken again when they come', async (t) => {
    const wire = wired(await place(t))
    const environment = manualEnvironment()
    await using pots = await startRows({ store: wire.store, environment, pollIntervalMs: 700 })
    await fill(pots, 'a', 1, 1)
    const others = environment.timers
    const rests = () => environment.timers > others
    const watching = follow(pots)
    await until('it rests', () => rests() && watching.positions.length === 1)
    wire.cut()
    await fill(pots, 'a', 2, 2)
    await settled()
    assert.equal(watching.positions.length, 1)
    await until('its poll has found what was kept from it', async () => {
      await environment.advance(700)
      return watching.positions.length === 3
    })
    wire.mend()
    // No time passes from here on, so only a hint can wake it.
    await fill(pots, 'a', 4, 1)
    await until('it was woken again', () => watching.positions.length === 4)
    assert.deepEqual(watching.positions, range(1, 4))
    await watching.leave()
  })

  test('that is slow reads only what it uses, one page at a time', async (t) => {
    const watch = watched(await place(t))
    await using pots = await startRows({ store: watch.store })
    // Pages end with commits, so each has one event.
    for (let amount = 1; amount <= 100; amount++) await pots.pot('a').put({ amount })
    watch.forget()
    const events = pots.events({ pageSize: 10 })[Symbol.asyncIterator]()
    for (let taken = 1; taken <= 100; taken++) {
      await events.next()
      await settled()
      assert.equal(watch.count('readAll'), Math.ceil(taken / 10))
      if (taken === 50) await fill(pots, 'b', 101, 100)
    }
    await events.return?.()
  })
})

await onEveryStore('The end of a subscription', ({ place }) => {
  test('comes at once when it is aborted, while it waits and while it reads, and leaves nothing open', async (t) => {
    const wire = wired(await place(t))
    const watch = watched(wire.store)
    const environment = manualEnvironment()
    const pots = await startRows({ store: watch.store, environment })
    const waiting = follow(pots)
    await until('it waits', () => environment.timers === resting)
    await waiting.leave()
    assert.deepEqual([wire.listeners, environment.timers], [0, 0])
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'readAll' ? gate.promise : undefined))
    const reading = follow(pots)
    await until('it reads', () => wire.listeners === 1)
    await settled()
    await reading.leave()
    assert.deepEqual([wire.listeners, environment.timers], [0, 0])
    gate.resolve()
    await pots.stop()
  })

  test('comes without an error when the domain stops, while it waits and while it reads', async (t) => {
    const wire = wired(await place(t))
    const watch = watched(wire.store)
    const environment = manualEnvironment()
    const pots = await startRows({ store: watch.store, environment })
    await fill(pots, 'a', 1, 2)
    const others = environment.timers
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method, args }) =>
      method === 'readAll' && (args[1] as { readonly types?: unknown }).types !== undefined ? gate.promise : undefined,
    )
    const waiting = follow(pots)
    const reading = follow(pots, { types: ['Put'] })
    await until('one waits, and one reads', () => wire.listeners === 2 && environment.timers > others)
    const stopping = pots.stop()
    await Promise.all([waiting.ended, reading.ended])
    gate.resolve()
    await stopping
    assert.deepEqual([waiting.positions, reading.positions], [[1, 2], []])
    assert.deepEqual([wire.listeners, environment.timers], [0, 0])
  })

  test('by leaving the loop closes it too', async (t) => {
    const wire = wired(await place(t))
    const environment = manualEnvironment()
    await using pots = await startRows({ store: wire.store, environment })
    await fill(pots, 'a', 1, 3)
    const others = environment.timers
    for await (const { position } of pots.events()) if (position === 2) break
    assert.deepEqual([wire.listeners, environment.timers], [0, others])
  })

  test('is an error if the store throws one', async (t) => {
    const watch = watched(await place(t))
    await using pots = await startRows({ store: watch.store })
    watch.disturb(({ method }) => (method === 'readAll' ? 'before' : undefined))
    const broken = follow(pots)
    await assert.rejects(broken.ended, { code: 'STORE_UNAVAILABLE' })
    assert.equal(await stands(broken.ended), 'rejected')
  })
})
