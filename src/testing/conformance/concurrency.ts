/**
 * Concurrency: appends at the same time are stored one after the other. Of appends that exclude each other, exactly one
 * succeeds. A reader that follows the log sees every position once and in order, however fast the writers are.
 */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import type { StreamId } from '../../domain/stream.ts'
import type { AppendResult, ReadAllOptions, Store, StoredEvent } from '../../store/store.ts'
import { at } from '../checkpoint-at.ts'
import {
  type ConformanceGroup,
  commitTo,
  events,
  grow,
  positions,
  readAfter,
  readWhole,
  sequences,
  store1,
  until,
  upTo,
} from './kit.ts'

const one = async (store: Store, ...offered: Parameters<typeof commitTo>): Promise<AppendResult> =>
  (await store.append([commitTo(...offered)]))[0]!

const count = (results: readonly AppendResult[], status: AppendResult['status']) =>
  results.filter((result) => result.status === status).length

const many = <Value>(length: number, make: (i: number) => Value): Value[] => Array.from({ length }, (_, i) => make(i))

export const races: ConformanceGroup = {
  title: 'Appends at the same time',
  cases: {
    'that expect anything on one stream all succeed, contiguously': async ({ store, stream }) => {
      const id = stream()
      const results = await Promise.all(many(50, (i) => one(store, id, { events: events(1 + (i % 3)) })))
      assert.equal(count(results, 'stored'), 50)
      const read = await readWhole(store, id)
      assert.deepEqual(sequences(read), upTo(read.length))
      assert.equal(new Set(results.map(({ sequence }) => sequence)).size, 50)
    },
    'that expect the same sequence have exactly one winner': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 3)
      const results = await Promise.all(many(20, () => one(store, id, { expected: 3 })))
      assert.equal(count(results, 'stored'), 1)
      assert.equal(count(results, 'conflict'), 19)
      assert.ok(results.every(({ sequence }) => sequence === 4))
      assert.equal((await readWhole(store, id)).length, 4)
    },
    'are checked separately: a conflict of one caller does not break the chain of another': async ({
      store,
      stream,
    }) => {
      const id = stream()
      await grow(store, id, 3)
      const results = await Promise.all([
        one(store, id, { expected: 2 }),
        one(store, id, { expected: 3 }),
        one(store, id, { expected: 9 }),
      ])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['conflict', 'stored', 'conflict'],
      )
    },
    'that expect no event have exactly one winner': async ({ store, stream }) => {
      const id = stream()
      const results = await Promise.all(many(20, () => one(store, id, { expected: 'none', events: events(2) })))
      assert.equal(count(results, 'stored'), 1)
      assert.equal(count(results, 'conflict'), 19)
      assert.equal((await readWhole(store, id)).length, 2)
    },
    'of the same commit store it once, and all answer with the same place': async ({ store, stream }) => {
      const id = stream()
      const results = await Promise.all(many(20, () => one(store, id, { id: 'c', events: events(2) })))
      assert.equal(count(results, 'stored'), 1)
      assert.equal(count(results, 'duplicate'), 19)
      assert.equal(new Set(results.map((result) => JSON.stringify({ ...result, status: '' }))).size, 1)
      assert.equal((await readWhole(store, id)).length, 2)
    },
    'to many streams all succeed': async ({ store, stream }) => {
      const ids = many(60, () => stream())
      const results = await Promise.all(ids.map((id) => one(store, id, { expected: 'none' })))
      assert.equal(count(results, 'stored'), 60)
      const taken = results.map((result) => (result.status === 'stored' ? result.position : 0))
      assert.equal(new Set(taken).size, 60)
    },
    'keep the commits of each batch together': async ({ store, stream }) => {
      const base = await store.head()
      const batches = many(20, (b) => many(3, (c) => commitTo(stream(), { id: `${b}/${c}`, events: events(2) })))
      await Promise.all(batches.map((batch) => store.append(batch)))
      const read = await readAfter(store, base)
      assert.deepEqual(positions(read), upTo(base + 120, base + 1))
      for (let i = 0; i < read.length; i += 2) assert.equal(read[i]?.commitId, read[i + 1]?.commitId)
    },
    'by read, decide, append and try again lose no update': async ({ store, stream }) => {
      const id = stream()
      const worker = async () => {
        for (let done = 0; done < 10; ) {
          const expected = (await readWhole(store, id)).length
          if ((await one(store, id, { expected })).status === 'stored') done++
        }
      }
      await Promise.all(many(5, worker))
      assert.deepEqual(sequences(await readWhole(store, id)), upTo(50))
    },
    'of a bad batch and good ones refuse only the bad one': async ({ store, stream }) => {
      const tooMany = events(store.limits.commitEventsMax + 1)
      const id = stream()
      const bad = store.append([commitTo(stream(), { events: tooMany })]).catch((error: unknown) => error)
      const results = await Promise.all(many(10, () => one(store, id)))
      assert.ok((await bad) instanceof Error)
      assert.equal(count(results, 'stored'), 10)
    },
  },
}

/** Follows the log as a subscription would, until `last` gives a position and it has seen everything up to there. */
async function tail(
  store: Store,
  base: number,
  last: () => number | undefined,
  options: ReadAllOptions,
): Promise<readonly StoredEvent[]> {
  const seen: StoredEvent[] = []
  for (let examined = base; ; ) {
    const end = last()
    const page = await store.readAll({ from: examined + 1, to: Number.POSITIVE_INFINITY }, options)
    seen.push(...page.events)
    examined = page.examined
    if (end !== undefined && examined >= end) return seen
    await setImmediate()
  }
}

async function write(store: Store, writer: number, own: StreamId, shared: StreamId): Promise<void> {
  for (let round = 0; round < 15; round++) {
    const batch = many(1 + ((round + writer) % 3), (i) =>
      commitTo(i === 1 ? shared : own, { events: events(1 + ((round * 7 + i) % 4), i === 1 ? 'Shared' : 'Own') }),
    )
    if (round % 5 === 4) batch.push(commitTo(own, { expected: 0, events: events(3, 'Lost') }))
    await store.append(batch)
  }
}

export const prefixes: ConformanceGroup = {
  title: 'Readers at the same time as writers',
  cases: {
    '3 readers that follow 8 writers see no gap, no duplicate and no event of a conflict': async ({
      store,
      stream,
    }) => {
      const base = await store.head()
      const shared = stream()
      let end: number | undefined
      const readers = [{ limit: 7 }, {}, { limit: 5, types: ['Shared'] }].map((options) =>
        tail(store, base, () => end, options),
      )
      await Promise.all(many(8, (writer) => write(store, writer, stream(), shared)))
      end = await store.head()
      const [small, large, filtered] = await Promise.all(readers)
      assert.deepEqual(positions(small!), upTo(end, base + 1))
      assert.deepEqual(positions(large!), upTo(end, base + 1))
      assert.deepEqual(sequences(filtered!), upTo((await readWhole(store, shared)).length))
      assert.ok(small!.every(({ type }) => type !== 'Lost'))
    },
    'a reader never sees a position that the head does not cover': async ({ store, stream }) => {
      const base = await store.head()
      const appended = Promise.all(many(30, () => grow(store, stream(), 3)))
      for (let round = 0; round < 15; round++) {
        const read = await readAfter(store, base)
        assert.deepEqual(positions(read), upTo(base + read.length, base + 1))
        assert.ok((await store.head()) >= base + read.length)
      }
      await appended
    },
    'a reader of the log also finds in the stream what it has seen': async ({ store, stream }) => {
      const base = await store.head()
      const id = stream()
      const appended = Promise.all(many(20, () => grow(store, id, 2)))
      for (let round = 0; round < 10; round++) {
        const seen = (await readAfter(store, base)).length
        assert.ok((await readWhole(store, id)).length >= seen)
      }
      await appended
    },
  },
}

export const severalWriters: ConformanceGroup = {
  title: 'A place that is opened twice',
  needs: 'severalWriters',
  cases: {
    'shows in one store what the other has appended': async ({ place, stream }) => {
      await using own = await place()
      const [a, b] = [await own.open(), await own.open()]
      const id = stream()
      const { position } = await grow(a, id, 3)
      await until(async () => (await b.head()) >= position)
      assert.deepEqual(sequences(await readWhole(b, id)), [1, 2, 3])
      assert.equal((await grow(b, id, 1)).position, position + 1)
    },
    'lets one of two conflicting appends win': async ({ place, stream }) => {
      await using own = await place()
      const stores = [await own.open(), await own.open()]
      const id = stream()
      for (let expected = 0; expected < 10; expected++) {
        const results = await Promise.all(stores.map((store) => one(store, id, { expected })))
        assert.equal(count(results, 'stored'), 1)
      }
      assert.deepEqual(sequences(await readWhole(stores[0]!, id)), upTo(10))
    },
    'recognises in one store a commit of the other': async ({ place, stream }) => {
      await using own = await place()
      const [a, b] = [await own.open(), await own.open()]
      const id = stream()
      const first = await store1(a, commitTo(id, { id: 'c', events: events(2) }))
      assert.deepEqual(await one(b, id, { id: 'c' }), { ...first, status: 'duplicate' })
    },
    'has positions without gaps for readers of both stores': async ({ place, stream }) => {
      await using own = await place()
      const stores = [await own.open(), await own.open()]
      const shared = stream()
      let end: number | undefined
      const readers = stores.map((store) => tail(store, 0, () => end, { limit: 11 }))
      await Promise.all(many(6, (writer) => write(stores[writer % 2]!, writer, stream(), shared)))
      end = Math.max(...(await Promise.all(stores.map((store) => store.head()))))
      for (const seen of await Promise.all(readers)) assert.deepEqual(positions(seen), upTo(end))
    },
    'shares checkpoints and leases': async ({ place }) => {
      await using own = await place()
      const [a, b] = [await own.open(), await own.open()]
      await a.saveStep('p', { from: at(0), to: at(4), rows: [{ key: 'k', value: 1 }] })
      assert.equal((await b.loadCheckpoint('p')).position, 4)
      assert.deepEqual(await b.loadRows('p', ['k']), [1])
      await assert.rejects(b.saveStep('p', { from: at(0), to: at(5), rows: [] }))
      await a.acquireLease('l', 'a', 60_000)
      assert.equal((await b.acquireLease('l', 'b', 60_000)).owner, 'a')
    },
    'keeps working in one store when the other is closed': async ({ place, stream }) => {
      await using own = await place()
      const [a, b] = [await own.open(), await own.open()]
      await a.close()
      assert.equal((await grow(b, stream(), 1)).position, 1)
    },
  },
}
