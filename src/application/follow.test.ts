/** Following a store without a domain. Nothing is lost between a read and the wait after it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commit, follow, memory, type Store, type StoredEvent } from '../index.ts'

const open = () => memory().open({ warn: () => {}, now: () => 0 })
/** Longer than any test, so that a poll never ends a wait. */
const silent = { pollIntervalMs: 1_000_000 }

let made = 0
const append = (store: Store, type = 'Happened') => {
  const id = `c${++made}`
  const stream = { aggregate: 'a', id: 'b' }
  return store.append([commit({ stream, expected: 'any', id, recordedAt: 0, events: [{ type, data: {} }] })])
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

const positions = (events: readonly StoredEvent[]) => events.map(({ position }) => position)

test('a store is followed from its beginning, then live, each event once', async () => {
  const store = await open()
  await append(store)
  const events = follow(store, silent)
  assert.deepEqual(positions(await take(events, 1)), [1])
  const next = take(events, 2)
  await append(store)
  await append(store)
  assert.deepEqual(positions(await next), [2, 3])
  await events.return()
})

test('an append between an empty read and the wait after it is not lost', async () => {
  const store = await open()
  let isFirst = true
  const racing = changed(store, {
    readAll: async (...given) => {
      const page = await store.readAll(...given)
      if (isFirst) await append(store)
      isFirst = false
      return page
    },
  })
  const events = follow(racing, silent)
  assert.deepEqual(positions(await take(events, 1)), [1])
  await events.return()
})

test('events without a hint are found by the poll', async () => {
  const store = await open()
  const deaf = changed(store, { onAppend: () => () => {} })
  const events = follow(deaf, { pollIntervalMs: 1 })
  const next = take(events, 1)
  await append(store)
  assert.deepEqual(positions(await next), [1])
  await events.return()
})

test('it continues after a given event, only in the log of that event', async () => {
  const store = await open()
  for (const type of ['A', 'B', 'A', 'B', 'A']) await append(store, type)
  const first = follow(store, { ...silent, types: ['A'], pageSize: 1 })
  const [, last] = await take(first, 2)
  await first.return()
  const again = follow(store, { ...silent, types: ['A'], after: last! })
  assert.deepEqual(positions(await take(again, 1)), [5])
  await again.return()
  const other = await open()
  for (const type of ['A', 'B', 'A', 'B', 'A']) await append(other, type)
  await assert.rejects(follow(other, { ...silent, after: last! }).next(), { code: 'LOG_REPLACED' })
})

test('it listens while it is read, and not after its end', async () => {
  const store = await open()
  let listening = 0
  const counting = changed(store, {
    onAppend: (listener) => {
      listening++
      const end = store.onAppend(listener)
      return () => {
        listening--
        end()
      }
    },
  })
  const controller = new AbortController()
  const events = follow(counting, { ...silent, signal: controller.signal })
  assert.equal(listening, 0)
  const waiting = events.next()
  assert.equal(listening, 1)
  controller.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  assert.equal(listening, 0)
})

test('it ends with STORE_CLOSED when the store is closed', async () => {
  const store = await open()
  const events = follow(store, { pollIntervalMs: 1 })
  const waiting = events.next()
  await store.close()
  await assert.rejects(waiting, { code: 'STORE_CLOSED' })
})

test('unknown and invalid options are refused by the call', async () => {
  const store = await open()
  for (const options of [
    { offset: 1 },
    { pollInterval: 5 },
    { pollIntervalMs: 0 },
    { pollIntervalMs: 2 ** 31 },
    { from: -1 },
  ]) {
    assert.throws(() => follow(store, options), { code: 'OPTION_INVALID' })
  }
})
