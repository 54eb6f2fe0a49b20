/** Listing the streams of an aggregate: each once, in one order, in pages, and only those that have events. */
import assert from 'node:assert/strict'
import type { Store } from '../../store/store.ts'
import { type ConformanceGroup, commitTo, grow, store1 } from './kit.ts'

/** The ids of an aggregate's streams, page by page. */
async function listAll(store: Store, aggregate: string, limit: number): Promise<readonly string[]> {
  const all: string[] = []
  for (let after: string | undefined; ; ) {
    const { ids, next } = await store.listStreams(aggregate, { limit, ...(after !== undefined && { after }) })
    assert.ok(ids.length <= limit)
    for (const id of ids) all.push(id)
    if (next === undefined) return all
    assert.notEqual(next, after, 'each page makes progress')
    after = next
  }
}

/** Appends an event to each stream, and expects that all are stored. */
async function begin(store: Store, aggregate: string, ids: readonly string[]): Promise<void> {
  const results = await store.append(ids.map((id) => commitTo({ aggregate, id })))
  assert.ok(results.every(({ status }) => status === 'stored'))
}

const unlike: readonly string[] = [
  ...[
    'a',
    'A',
    'a ',
    ' a',
    'a/b',
    'a_b',
    '%',
    '_',
    '*',
    '.',
    '$gt',
    '1',
    '01',
    'é',
    'e\u0301',
    '👩‍👩‍👧',
    '\ufffd',
    '𝄞',
  ],
  ...['k'.repeat(1024), '__proto__', 'constructor', '\u0001', '\uffff'],
]

export const streamLists: ConformanceGroup = {
  title: 'A list of streams',
  cases: {
    'has each stream of the aggregate that has events, once': async ({ store, name }) => {
      const [aggregate, other] = [name('listed'), name('listed')]
      assert.deepEqual(await store.listStreams(aggregate, { limit: 10 }), { ids: [] })
      await begin(store, aggregate, ['b', 'c', 'a'])
      await begin(store, other, ['d'])
      for (const id of ['a', 'b', 'a']) await grow(store, { aggregate, id }, 2)
      assert.deepEqual(await store.listStreams(aggregate, { limit: 10 }), { ids: ['a', 'b', 'c'] })
      assert.deepEqual(await store.listStreams(other, { limit: 10 }), { ids: ['d'] })
    },
    'has a stream as soon as its first commit is stored, and its next events change nothing': async ({
      store,
      name,
    }) => {
      const aggregate = name('listed')
      const ids: string[] = []
      for (let n = 0; n < 30; n++) {
        const id = `${(n * 7) % 30}`.padStart(2, '0')
        await grow(store, { aggregate, id }, 1)
        ids.push(id)
        assert.deepEqual((await store.listStreams(aggregate, { limit: 100 })).ids, ids.toSorted())
      }
    },
    'lacks a stream whose only commit was not stored, and one that is only reserved': async ({ store, name }) => {
      const aggregate = name('listed')
      await store.listStreams(aggregate, { limit: 1 })
      const [refused] = await store.append([commitTo({ aggregate, id: 'b' }, { expected: 5 })])
      assert.equal(refused?.status, 'conflict')
      await store.reserve([{ aggregate, id: 'c' }], name('writer'), 1000)
      assert.deepEqual(await listAll(store, aggregate, 10), [])
      await begin(store, aggregate, ['d', 'a'])
      assert.deepEqual(await listAll(store, aggregate, 1), ['a', 'd'])
      await store1(store, commitTo({ aggregate, id: 'b' }, { expected: 'none' }))
      assert.deepEqual(await listAll(store, aggregate, 1), ['a', 'b', 'd'])
    },
    'says after which id the next page begins, and nothing if there is none': async ({ store, name }) => {
      const aggregate = name('listed')
      await begin(store, aggregate, ['a', 'b', 'c', 'd'])
      const list = (after: string | undefined, limit: number) =>
        store.listStreams(aggregate, { limit, ...(after !== undefined && { after }) })
      assert.deepEqual(await list(undefined, 2), { ids: ['a', 'b'], next: 'b' })
      assert.deepEqual(await list('b', 2), { ids: ['c', 'd'] })
      assert.deepEqual(await list('b', 1), { ids: ['c'], next: 'c' })
      assert.deepEqual(await list('d', 1), { ids: [] })
      assert.deepEqual(await list(undefined, Number.POSITIVE_INFINITY), { ids: ['a', 'b', 'c', 'd'] })
    },
    'begins after an id that no stream has': async ({ store, name }) => {
      const aggregate = name('listed')
      await begin(store, aggregate, ['a', 'c'])
      const after = async (id: string) => (await store.listStreams(aggregate, { after: id, limit: 9 })).ids
      assert.deepEqual(await after('b'), ['c'])
      assert.deepEqual(await after('0'), ['a', 'c'])
      assert.deepEqual(await after('z'), [])
    },
    'has any ids, in the same order whatever the size of the pages': async ({ store, name }) => {
      const aggregate = `${name('listed')}%_`
      await begin(store, `${aggregate} `, ['elsewhere'])
      await begin(store, aggregate, unlike)
      const all = await listAll(store, aggregate, 1000)
      assert.deepEqual(new Set(all), new Set(unlike))
      assert.equal(all.length, unlike.length)
      for (const limit of [1, 2, 7]) assert.deepEqual(await listAll(store, aggregate, limit), all)
      const ascii = all.filter((id) => [...id].every((character) => character <= '\u007f'))
      assert.deepEqual(ascii, ascii.toSorted())
    },
    'of hundreds has all of them in pages of any size, also of those that begin meanwhile': async ({ store, name }) => {
      const aggregate = name('listed')
      const ids = Array.from({ length: 520 }, (_, n) => `${(n * 409) % 520}`.padStart(5, '0'))
      await begin(store, aggregate, ids.slice(0, 470))
      const listed = listAll(store, aggregate, Number.POSITIVE_INFINITY)
      await begin(store, aggregate, ids.slice(470))
      const all = ids.toSorted()
      const found = new Set(await listed)
      assert.ok(ids.slice(0, 470).every((id) => found.has(id)))
      assert.deepEqual(await listAll(store, aggregate, Number.POSITIVE_INFINITY), all)
      assert.deepEqual(await listAll(store, aggregate, 200), all)
      const { ids: some, next } = await store.listStreams(aggregate, { after: all[500]!, limit: 3 })
      assert.deepEqual([some, next], [all.slice(501, 504), all[503]])
    },
    'is still there after reopening': async ({ place, name, capabilities }) => {
      if (!capabilities.survivesReopen) return
      await using own = await place()
      const aggregate = name('listed')
      const first = await own.open()
      await begin(first, aggregate, ['b', 'a'])
      await first.listStreams(aggregate, { limit: 1 })
      await first.close()
      const second = await own.open()
      assert.deepEqual(await second.listStreams(aggregate, { limit: 10 }), { ids: ['a', 'b'] })
      await begin(second, aggregate, ['aa'])
      assert.deepEqual(await second.listStreams(aggregate, { limit: 10 }), { ids: ['a', 'aa', 'b'] })
    },
  },
}

export const streamListsOfOthers: ConformanceGroup = {
  title: 'A list of streams to which other writers write',
  needs: 'severalWriters',
  cases: {
    'has each stream as soon as its first commit was acknowledged there': async ({ place, name }) => {
      await using own = await place()
      const [a, b] = [await own.open(), await own.open()]
      const aggregate = name('listed')
      for (let n = 0; n < 20; n++) {
        await begin(n % 2 === 0 ? a : b, aggregate, [`${n}`.padStart(2, '0')])
        assert.equal((await (n % 2 === 0 ? b : a).listStreams(aggregate, { limit: 100 })).ids.length, n + 1)
      }
    },
  },
}
