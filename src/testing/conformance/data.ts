/** A read returns exactly what was stored, and nobody can change it. */
import assert from 'node:assert/strict'
import { depthMax, type Json, toJson } from '../../domain/json.ts'
import type { StoredEvent } from '../../store/store.ts'
import { type ConformanceCase, type ConformanceGroup, commitTo, readAfter, readWhole, store1 } from './kit.ts'

/** The stream and the log return data as `toJson` made it. */
const roundTrip =
  (data: unknown): ConformanceCase =>
  async ({ store, stream }) => {
    const id = stream()
    const head = await store.head()
    const expected = toJson('The data', data)
    await store1(store, commitTo(id, { events: [{ type: 'Kept', data }] }))
    assert.deepEqual((await readWhole(store, id))[0]?.data, expected)
    assert.deepEqual((await readAfter(store, head))[0]?.data, expected)
  }

const nested = (depth: number): Json => {
  let value: Json = 'deep'
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { in: value }
  return value
}

export const roundTrips: ConformanceGroup = {
  title: 'Data comes back the same',
  cases: {
    'a text': roundTrip('text'),
    'an empty text': roundTrip(''),
    null: roundTrip(null),
    'true and false': roundTrip([true, false]),
    'an empty record and an empty list': roundTrip({ record: {}, list: [], both: [{}, []] }),
    'whole numbers up to the safe limit': roundTrip([0, 1, -1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1]),
    'fractions and extremes': roundTrip([0.1, 0.1 + 0.2, 1e21, 1e-7, Number.MAX_VALUE, Number.MIN_VALUE, 1 / 3]),
    'minus zero, as zero': roundTrip([-0]),
    'numbers in texts, as texts': roundTrip(['1', '0x10', '1e3', '9223372036854775807']),
    'a date, as its text': roundTrip({ at: new Date('2026-02-28T23:59:59.999Z') }),
    'quotes and backslashes': roundTrip(`'single' "double" \`back\` \\ \\\\ \\" \\u0041`),
    'line breaks and control characters': roundTrip('a\nb\r\nc\td\u0001\u001f\u007f'),
    'null characters': roundTrip({ 'a\0b': 'c\0d', text: '\0' }),
    'unicode of every length': roundTrip('ä 記 𝄞 👩‍🚀 \u2028 \u2029 \ufeff e\u0301'),
    'a lone surrogate': roundTrip('\ud800'),
    'keys that are empty, dotted, dollared or spaced': roundTrip({ '': 1, 'a.b': 2, $set: 3, ' ': 4, 'a b': 5 }),
    'keys that look like numbers': roundTrip({ 1: 'a', 0: 'b', '-1': 'c', '01': 'd' }),
    'keys that every object has': roundTrip(JSON.parse('{"__proto__":{"x":1},"constructor":2,"toString":3}')),
    'lists of lists': roundTrip([[], [[]], [[1], [2, [3]]]]),
    'nesting as deep as allowed': roundTrip(nested(depthMax)),
    'records in lists in records': roundTrip({ a: [{ b: [{ c: null }] }] }),
    'a long text': roundTrip('long '.repeat(50_000)),
    'many keys': roundTrip(Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`key${i}`, i]))),
    metadata: async ({ store, stream }) => {
      const id = stream()
      const metadata = { user: 'Ada', trace: { id: '1', flags: [1, 2] }, nothing: null, 'a.b': '\0' }
      await store1(store, commitTo(id, { events: [{ type: 'Kept', data: {}, metadata }] }))
      assert.deepEqual((await readWhole(store, id))[0]?.metadata, metadata)
    },
    'no metadata, as an empty record, and no tags, as an empty list': async ({ store, stream }) => {
      const id = stream()
      await store1(store, commitTo(id))
      const [event] = await readWhole(store, id)
      assert.deepEqual(event?.metadata, {})
      assert.deepEqual(event?.tags, [])
    },
    'tags, in their order, each once': async ({ store, stream }) => {
      const id = stream()
      const tags = ['z', 'a,b', 'a', '"', "'", '{', '%', 'a', '日本']
      await store1(store, commitTo(id, { events: [{ type: 'Kept', data: {}, tags }] }))
      assert.deepEqual((await readWhole(store, id))[0]?.tags, [...new Set(tags)])
    },
    'metadata and tags of each event separately': async ({ store, stream }) => {
      const id = stream()
      const offered = [1, 2, 3].map((n) => ({ type: `T${n}`, data: n, metadata: { n }, tags: [`n${n}`], revision: n }))
      await store1(store, commitTo(id, { events: offered }))
      const read = (await readWhole(store, id)).map(({ type, data, metadata, tags, revision }) => ({
        type,
        data,
        metadata,
        tags,
        revision,
      }))
      assert.deepEqual(read, offered)
    },
  },
}

/** Tries to change every part of an event. A store may let this throw or not. */
function tamper(event: StoredEvent): void {
  const attempts: readonly (() => unknown)[] = [
    () => Object.assign(event, { type: 'Forged', sequence: 99, position: 99 }),
    () => Object.assign(event.data as object, { forged: true }),
    () => (event.data as unknown as { list: number[] }).list.push(9),
    () => Object.assign(event.metadata, { forged: true }),
    () => (event.tags as string[]).push('forged'),
    () => Object.assign(event.stream, { id: 'forged' }),
  ]
  for (const attempt of attempts) {
    try {
      attempt()
    } catch {
      // It is frozen, which is allowed.
    }
  }
}

export const immutability: ConformanceGroup = {
  title: 'Nobody can change what is stored',
  cases: {
    'by changing the events that a read returned': async ({ store, stream }) => {
      const id = stream()
      const head = await store.head()
      await store1(
        store,
        commitTo(id, { events: [{ type: 'Kept', data: { list: [1] }, metadata: { m: 1 }, tags: ['t'] }] }),
      )
      const before = structuredClone(await readWhole(store, id))
      for (const event of await readWhole(store, id)) tamper(event)
      for (const event of await readAfter(store, head)) tamper(event)
      assert.deepEqual(structuredClone(await readWhole(store, id)), before)
      assert.deepEqual(structuredClone(await readAfter(store, head)), before)
    },
    'by changing the list that a read returned': async ({ store, stream }) => {
      const id = stream()
      await store1(store, commitTo(id))
      const read = (await readWhole(store, id)) as StoredEvent[]
      try {
        read.pop()
      } catch {
        // It is frozen, which is allowed.
      }
      assert.equal((await readWhole(store, id)).length, 1)
    },
    'by changing the commit that was offered': async ({ store, stream }) => {
      const id = stream()
      const data = { list: [1] }
      const tags = ['t']
      const offered = commitTo(id, { events: [{ type: 'Kept', data, tags }] })
      data.list.push(2)
      tags.push('u')
      await store1(store, offered)
      data.list.push(3)
      const [event] = await readWhole(store, id)
      assert.deepEqual(event?.data, { list: [1] })
      assert.deepEqual(event?.tags, ['t'])
    },
    'by changing the stream object': async ({ store, stream }) => {
      const { aggregate, id } = stream()
      const named = { aggregate, id }
      await store1(store, commitTo(named))
      named.id = 'another'
      assert.equal((await readWhole(store, { aggregate, id })).length, 1)
      assert.equal((await readWhole(store, { aggregate, id }))[0]?.stream.id, id)
    },
  },
}
