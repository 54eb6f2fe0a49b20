/** Subscriptions to one stream: from a sequence on, then live, and what many of them cost. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { until } from '../../../test/support/kernel/rig.ts'
import { followStream } from '../../application/follow.ts'
import { systemEnvironment } from '../../application/system-environment.ts'
import { commit, memory, type Store, type StoredEvent } from '../../index.ts'
import { subscribeToStream } from './stream-subscription.ts'
import { StreamTail } from './stream-tail.ts'
import { Tail } from './tail.ts'

const open = () => memory().open({ warn: () => {}, now: Date.now })
/** Longer than any test, so that a poll never ends a wait. */
const silent = { pollIntervalMs: 1_000_000 }
const ada = { aggregate: 'a', id: 'ada' }
const bob = { aggregate: 'a', id: 'bob' }

let made = 0
const append = (store: Store, stream = ada, count = 1) => {
  const events = Array.from({ length: count }, () => ({ type: 'Happened', data: ++made }))
  return store.append([commit({ stream, expected: 'any', id: `c${++made}`, recordedAt: 0, events })])
}

/** A store with some methods replaced. */
const changed = (store: Store, methods: Partial<Store>): Store =>
  new Proxy(store, {
    get(target, name) {
      const found = Reflect.get(methods, name) ?? Reflect.get(target, name)
      return typeof found === 'function' ? found.bind(target) : found
    },
  })

async function take(events: AsyncGenerator<StoredEvent, void, void>, count: number): Promise<readonly StoredEvent[]> {
  const taken: StoredEvent[] = []
  while (taken.length < count) taken.push((await events.next()).value as StoredEvent)
  return taken
}

const sequences = (events: readonly StoredEvent[]) => events.map(({ sequence }) => sequence)

/** How many questions a store gets, by method. */
function counting(store: Store) {
  const counts = { streamEnds: 0, readStream: 0, readAll: 0, head: 0 }
  const counted = (name: keyof typeof counts) =>
    ((...args: never[]) => {
      counts[name]++
      return (store[name] as (...all: never[]) => unknown)(...args)
    }) as never
  const names = Object.keys(counts) as (keyof typeof counts)[]
  return { counts, store: changed(store, Object.fromEntries(names.map((name) => [name, counted(name)]))) }
}

describe('A subscription to a stream', () => {
  test('gives its events from a sequence on, then new ones, and none of other streams', async () => {
    const store = await open()
    for (const stream of [ada, bob, ada, ada]) await append(store, stream)
    const all = followStream(store, ada, silent)
    const some = followStream(store, ada, { ...silent, from: 3, pageSize: 1 })
    assert.deepEqual([sequences(await take(all, 3)), sequences(await take(some, 1))], [[1, 2, 3], [3]])
    const next = [take(all, 3), take(some, 3)]
    await append(store, bob)
    await append(store, ada, 2)
    await append(store, ada)
    for (const events of await Promise.all(next)) assert.deepEqual(sequences(events), [4, 5, 6])
    await Promise.all([all.return(), some.return()])
  })

  test('begins now, or after an event', async () => {
    const store = await open()
    await append(store, ada, 3)
    const now = followStream(store, ada, { ...silent, from: 'now' })
    const [, second] = await store.readStream(ada, { from: 1, to: 9 })
    const after = followStream(store, ada, { ...silent, after: second! })
    assert.deepEqual(sequences(await take(after, 1)), [3])
    await append(store, ada)
    assert.deepEqual([sequences(await take(now, 1)), sequences(await take(after, 1))], [[4], [4]])
    await Promise.all([now.return(), after.return()])
  })

  test('waits for a stream that does not exist yet, or has fewer events, and asks no question meanwhile', async () => {
    const inner = await open()
    const { counts, store } = counting(inner)
    const [first, third] = [followStream(store, ada, silent), followStream(store, ada, { ...silent, from: 3 })]
    const [one, three] = [take(first, 1), take(third, 1)]
    await until('both wait', () => counts.streamEnds > 1)
    const before = { ...counts }
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(counts, before)
    await append(inner, ada, 2)
    assert.deepEqual(sequences(await one), [1])
    await append(inner, ada)
    assert.deepEqual(sequences(await three), [3])
    await Promise.all([first.return(), third.return()])
  })

  test('loses no event that is appended between an empty read and the wait', async () => {
    const store = await open()
    let appends = 0
    const racing = changed(store, {
      readStream: async (...given) => {
        const page = await store.readStream(...given)
        if (appends++ < 5) await append(store)
        return page
      },
    })
    const events = followStream(racing, ada, silent)
    assert.deepEqual(sequences(await take(events, 5)), [1, 2, 3, 4, 5])
    await events.return()
  })

  test('loses no event of which the others that wait were told before it waits', async () => {
    const store = await open()
    let hasAppended = false
    const racing = changed(store, {
      readStream: async (stream, ...rest) => {
        const page = await store.readStream(stream, ...rest)
        if (stream.id !== 'bob' || hasAppended) return page
        hasAppended = true
        await append(store, bob)
        // The question for the one that waits already has been answered by then.
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
        return page
      },
    })
    const stopping = new AbortController()
    const tail = new Tail({ store: racing, environment: systemEnvironment, ...silent })
    const streamTail = new StreamTail(racing, tail)
    const context = { store: racing, streamTail, environment: systemEnvironment, stopped: stopping.signal }
    const waiting = subscribeToStream(context, ada, {}).next()
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    const { value } = await subscribeToStream(context, bob, {}).next()
    assert.equal((value as StoredEvent).sequence, 1)
    stopping.abort()
    assert.equal((await waiting).done, true)
  })

  test('finds an event without a hint, by the poll', async () => {
    const store = changed(await open(), { onAppend: () => () => {} })
    const events = followStream(store, ada, { pollIntervalMs: 5 })
    const next = take(events, 1)
    await append(store, bob)
    await append(store, ada)
    assert.deepEqual(sequences(await next), [1])
    await events.return()
  })

  test('of a thousand costs one question for all when the log grows, and one reading for the stream that grew', async () => {
    const inner = await open()
    const { counts, store } = counting(inner)
    const tail = new Tail({ store, environment: systemEnvironment, ...silent })
    const stopping = new AbortController()
    const streamTail = new StreamTail(store, tail)
    const context = { store, streamTail, environment: systemEnvironment, stopped: stopping.signal }
    const streams = Array.from({ length: 1000 }, (_, i) => ({ aggregate: 'a', id: `${i}` }))
    const readers = streams.map((stream) => subscribeToStream(context, stream, {}))
    const next = readers.map((reader) => reader.next())
    await until('all wait', () => counts.readStream === 1000)
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    const before = { ...counts }
    await append(inner, streams[700])
    assert.equal(((await next[700])!.value as StoredEvent).stream.id, '700')
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(counts.readStream - before.readStream, 1)
    assert.ok(counts.streamEnds - before.streamEnds <= 2, `${counts.streamEnds - before.streamEnds} questions`)
    assert.equal(counts.readAll, 0)
    stopping.abort()
    for (const [i, each] of next.entries()) if (i !== 700) assert.equal((await each).done, true)
  })

  test('ends with the reason of its signal, and at once', async () => {
    const store = await open()
    const controller = new AbortController()
    const events = followStream(store, ada, { ...silent, signal: controller.signal })
    const next = events.next()
    controller.abort(new Error('enough'))
    await assert.rejects(next, /enough/)
    const never = followStream(store, ada, { ...silent, signal: controller.signal })
    await assert.rejects(never.next(), /enough/)
  })

  test('ends with LOG_REPLACED if the last event is not in the stream any more', async () => {
    const [first, other] = [await open(), await open()]
    await append(first, ada, 2)
    await append(other, ada, 1)
    let log = first
    const store = changed(first, {
      readStream: (...given) => log.readStream(...given),
      streamEnds: (...given) => log.streamEnds(...given),
      head: () => log.head(),
    })
    const replaced = { code: 'LOG_REPLACED', facts: { store: 'memory', position: 2, head: 1 } }
    const events = followStream(store, ada, { pollIntervalMs: 5 })
    const [, last] = await take(events, 2)
    const next = events.next()
    log = other
    await assert.rejects(next, replaced)
    await assert.rejects(followStream(store, ada, { after: last! }).next(), replaced)
    await append(other, ada, 1)
    await assert.rejects(followStream(store, ada, { after: last! }).next(), { code: 'LOG_REPLACED' })
  })

  test('ends with LOG_REPLACED if it was told to begin after an event that is not there', async () => {
    const store = await open()
    await append(store, ada, 1)
    for (const after of [
      { sequence: 1, position: 1, checksum: 1 },
      { sequence: 9, position: 9, checksum: 9 },
    ]) {
      await assert.rejects(followStream(store, ada, { after }).next(), { code: 'LOG_REPLACED' })
    }
  })

  test('ends with the failure of the store', async () => {
    const inner = await open()
    let isBroken = false
    const broken = <Answer>(answer: () => Answer) => {
      if (isBroken) throw new RangeError('no answer')
      return answer()
    }
    const store = changed(inner, {
      readStream: async (...given) => broken(() => inner.readStream(...given)),
      streamEnds: async (...given) => broken(() => inner.streamEnds(...given)),
    })
    const events = followStream(store, ada, silent)
    const next = events.next()
    isBroken = true
    await append(inner, bob)
    await assert.rejects(next, /no answer/)
  })

  test('refuses bad options', async () => {
    const store = await open()
    for (const options of [
      ...[{ from: -1 }, { from: 0.5 }, { from: 'then' }, { pageSize: 0 }, { signal: {} }, { pollIntervalMs: 0 }],
      ...[{ after: {} }, { after: { sequence: 1 } }, { after: { sequence: 0, position: 1, checksum: 1 } }],
      ...[{ from: 1, after: { sequence: 1, position: 1, checksum: 1 } }, { types: ['A'] }, { form: 1 }],
    ]) {
      assert.throws(
        () => followStream(store, ada, options as never),
        { code: 'OPTION_INVALID' },
        JSON.stringify(options),
      )
    }
    assert.throws(() => followStream(store, { aggregate: 'a', id: '' }), { code: 'ID_INVALID' })
  })
})
