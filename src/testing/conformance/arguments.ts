/**
 * Wrong arguments. Each call rejects with a code that is the same on every store, and changes nothing. Without these
 * checks, the result would depend on what a database does with a text that it cannot store, or with half a number.
 */
import assert from 'node:assert/strict'
import type { ErrorCode } from '../../domain/error-catalogue.ts'
import type { StreamId } from '../../domain/stream.ts'
import { commit } from '../../store/commit.ts'
import type { Checkpoint, ProjectionStep, Snapshot, Store } from '../../store/store.ts'
import { at } from '../checkpoint-at.ts'
import { type ConformanceGroup, commitTo, everything, grow, readWhole, rejectsWith } from './kit.ts'

/** A call with one argument that may be wrong. */
type Call = (store: Store, wrong: never) => Promise<unknown>

const stream = { aggregate: 'a', id: 'b' }
const step = (more: object = {}): ProjectionStep => ({ from: at(5), to: at(7), rows: [], ...more })
const snapshotOf = (more: object): Snapshot => ({
  stream,
  sequence: 1,
  stateRevision: 1,
  checksum: 1,
  fingerprint: 'f',
  state: {},
  takenAt: 0,
  ...more,
})

/** Expects that a call rejects with a code for each of the values, and does not throw. */
async function refused(
  store: Store,
  code: ErrorCode,
  calls: Readonly<Record<string, Call>>,
  values: readonly unknown[],
): Promise<void> {
  for (const [what, call] of Object.entries(calls)) {
    for (const value of values) {
      const promise = call(store, value as never)
      assert.ok(promise instanceof Promise)
      await assert.doesNotReject(rejectsWith(promise, code), `${what} of ${textOf(value)}`)
    }
  }
}

const textOf = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value.slice(0, 20)) : String(value)

/** Texts that some database cannot store, and values that are not texts. */
const noTexts: readonly unknown[] = [
  '',
  'a\0b',
  '\0',
  '\ud800',
  'a\udc00b',
  '😀'.slice(0, 1),
  'x'.repeat(20_481),
  7,
  null,
  {},
  ['a'],
]

const ids: Readonly<Record<string, Call>> = {
  'the aggregate of readStream': (store, aggregate) => store.readStream({ aggregate, id: 'b' }, everything),
  'the id of readStream': (store, id) => store.readStream({ aggregate: 'a', id }, everything),
  'types of readAll': (store, type) => store.readAll(everything, { types: ['A', type] }),
  'aggregates of readAll': (store, aggregate) => store.readAll(everything, { aggregates: [aggregate] }),
  'tags of readAll': (store, tag) => store.readAll(everything, { tags: [tag] }),
  'the id of findCommit': (store, id) => store.findCommit({ aggregate: 'a', id }, 'c'),
  'the commit of findCommit': (store, id) => store.findCommit(stream, id),
  'a stream of streamEnds': (store, id) => store.streamEnds([stream, { aggregate: 'a', id }]),
  'the aggregate of listStreams': (store, aggregate) => store.listStreams(aggregate, { limit: 1 }),
  'the id to list streams behind': (store, after) => store.listStreams('a', { after, limit: 1 }),
  'a stream of reserve': (store, id) => store.reserve([{ aggregate: 'a', id }], 'w', 1000),
  'the writer of reserve': (store, writer) => store.reserve([stream], writer, 1000),
  'the writer of append': (store, writer) => store.append([commitTo(stream)], { writer }),
  'the stream of a snapshot': (store, id) =>
    store.saveSnapshot(snapshotOf({ stream: { aggregate: 'a', id } }), { keep: 1 }),
  'the stream of loadSnapshot': (store, id) => store.loadSnapshot({ aggregate: 'a', id }),
  'the projection of loadCheckpoint': (store, name) => store.loadCheckpoint(name),
  'the projection of loadRows': (store, name) => store.loadRows(name, ['k']),
  'a key of loadRows': (store, key) => store.loadRows('p', ['k', key]),
  'the projection of loadRowsWithCheckpoint': (store, name) => store.loadRowsWithCheckpoint(name, ['k']),
  'a key of loadRowsWithCheckpoint': (store, key) => store.loadRowsWithCheckpoint('p', ['k', key]),
  'the projection of listRows': (store, name) => store.listRows(name, { limit: 1 }),
  'the key to list behind': (store, after) => store.listRows('p', { after, limit: 1 }),
  'the projection of saveStep': (store, name) => store.saveStep(name, step()),
  'the key of a row': (store, key) => store.saveStep('p', step({ rows: [{ key, value: 1 }] })),
  'the key of a row to delete': (store, key) => store.saveStep('p', step({ rows: [{ key, value: undefined }] })),
  'the projection of resetProjection': (store, name) => store.resetProjection(name),
  'the name of a lease': (store, name) => store.acquireLease(name, 'o', 1000),
  'the owner of a lease': (store, owner) => store.acquireLease('l', owner, 1000),
  'the name of a lease to give back': (store, name) => store.releaseLease(name, 'o'),
  'the owner of a lease to give back': (store, owner) => store.releaseLease('l', owner),
}

const streams: Readonly<Record<string, Call>> = {
  readStream: (store, of) => store.readStream(of, everything),
  findCommit: (store, of) => store.findCommit(of, 'c'),
  streamEnds: (store, of) => store.streamEnds([of]),
  reserve: (store, of) => store.reserve([of], 'w', 1000),
  loadSnapshot: (store, of) => store.loadSnapshot(of),
  saveSnapshot: (store, of) => store.saveSnapshot(snapshotOf({ stream: of }), { keep: 1 }),
}

export const argumentTexts: ConformanceGroup = {
  title: 'A text that cannot be an id',
  cases: {
    'is refused as an id, a name, a key and a filter': ({ store }) => refused(store, 'ID_INVALID', ids, noTexts),
    'is refused as a prefix of keys, except the empty text': ({ store }) => {
      const prefixes = { listRows: (of: Store, prefix: never) => of.listRows('p', { prefix, limit: 1 }) }
      const none = noTexts.filter((text) => text !== '')
      return refused(store, 'ID_INVALID', prefixes, none)
    },
    'is refused as a stream': ({ store }) =>
      refused(store, 'ID_INVALID', streams, [undefined, null, 'a', {}, { aggregate: 'a' }]),
    'never returns the data of another stream': async ({ store, name }) => {
      const aggregate = name()
      for (const id of ['\ufffd', '?']) await grow(store, { aggregate, id }, 1)
      await rejectsWith(readWhole(store, { aggregate, id: '\ud800' }), 'ID_INVALID')
      await rejectsWith(store.streamEnds([{ aggregate, id: '\ud800' }]), 'ID_INVALID')
      assert.throws(() => commitTo({ aggregate, id: '\ud800' }), { code: 'ID_INVALID' })
    },
  },
}

/** Values that are not whole numbers from 0. */
const noWholes: readonly unknown[] = [-1, 0.5, 1e300, 2 ** 53, Number.NaN, Number.NEGATIVE_INFINITY, '5', null, {}, 5n]

export const argumentNumbers: ConformanceGroup = {
  title: 'A number that makes no sense',
  cases: {
    'is refused as a bound of a range': async ({ store }) => {
      const lower = {
        readStream: (of: Store, from: never) => of.readStream(stream, { from, to: Number.POSITIVE_INFINITY }),
        readAll: (of: Store, from: never) => of.readAll({ from, to: 9 }),
      }
      await refused(store, 'RANGE_INVALID', lower, [...noWholes, Number.POSITIVE_INFINITY, undefined])
      const upper = {
        readStream: (of: Store, to: never) => of.readStream(stream, { from: 0, to }),
        readAll: (of: Store, to: never) => of.readAll({ from: 0, to }),
      }
      await refused(store, 'RANGE_INVALID', upper, [...noWholes.filter((number) => number !== -1), undefined])
      const whole = { readAll: (of: Store, range: never) => of.readAll(range) }
      await refused(store, 'RANGE_INVALID', whole, [undefined, null, 5, []])
    },
    'is refused as a limit': async ({ store }) => {
      const limits = {
        readStream: (of: Store, limit: never) => of.readStream(stream, everything, { limit }),
        readAll: (of: Store, limit: never) => of.readAll(everything, { limit }),
        listRows: (of: Store, limit: never) => of.listRows('p', { limit }),
        loadSnapshot: (of: Store, atOrBefore: never) => of.loadSnapshot(stream, { atOrBefore }),
        keep: (of: Store, keep: never) => of.saveSnapshot(snapshotOf({}), { keep }),
      }
      await refused(store, 'OPTION_INVALID', limits, noWholes)
      const { keep, listRows } = limits
      await refused(store, 'OPTION_INVALID', { keep }, [Number.POSITIVE_INFINITY])
      await refused(store, 'OPTION_INVALID', { keep, listRows }, [undefined])
      await refused(store, 'OPTION_INVALID', { keep }, [0])
    },
    'is refused as a place to continue from': ({ store }) => {
      const places = [
        ...noWholes.map((position) => ({ position })),
        ...noWholes.map((checksum) => ({ position: 1, checksum })),
        5,
      ]
      return refused(store, 'OPTION_INVALID', { behind: (of, behind) => of.readAll(everything, { behind }) }, places)
    },
    'is refused as a duration': async ({ store }) => {
      const durations = {
        reserve: (of: Store, durationMs: never) => of.reserve([stream], 'w', durationMs),
        acquireLease: (of: Store, durationMs: never) => of.acquireLease('l', 'o', durationMs),
      }
      const none = [
        0,
        -1,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        '5',
        null,
        undefined,
        1e300,
        5n,
      ]
      await refused(store, 'OPTION_INVALID', durations, none)
      await refused(store, 'OPTION_INVALID', { reserve: durations.reserve }, [60_001])
    },
    'is refused as a part of a snapshot': ({ store }) => {
      const parts = {
        sequence: (of: Store, sequence: never) => of.saveSnapshot(snapshotOf({ sequence }), { keep: 1 }),
        stateRevision: (of: Store, stateRevision: never) => of.saveSnapshot(snapshotOf({ stateRevision }), { keep: 1 }),
        checksum: (of: Store, checksum: never) => of.saveSnapshot(snapshotOf({ checksum }), { keep: 1 }),
        takenAt: (of: Store, takenAt: never) => of.saveSnapshot(snapshotOf({ takenAt }), { keep: 1 }),
      }
      return refused(store, 'OPTION_INVALID', parts, [...noWholes, Number.POSITIVE_INFINITY, undefined])
    },
    'is refused as a place of a checkpoint': ({ store }) => {
      const places = {
        'from position': (of: Store, position: never) => of.saveStep('p', step({ from: { position, term: 0 } })),
        'from term': (of: Store, term: never) => of.saveStep('p', step({ from: { position: 0, term } })),
        'to position': (of: Store, position: never) => of.saveStep('p', step({ to: { ...at(7), position } })),
        'to term': (of: Store, term: never) => of.saveStep('p', step({ to: { ...at(7), term } })),
      }
      return refused(store, 'RANGE_INVALID', places, [...noWholes, Number.POSITIVE_INFINITY, undefined])
    },
  },
}

/** Values that have no JSON. */
const noJson: readonly unknown[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  5n,
  () => 1,
  Symbol('s'),
  new Map(),
  [undefined],
  { a: { b: new Set() } },
]

const backward: readonly (readonly [from: Checkpoint, to: Checkpoint])[] = [
  [at(5), at(2)],
  [at(5, 2), at(5, 1)],
  [at(5, 2), at(6, 1)],
]

export const argumentSteps: ConformanceGroup = {
  title: 'A step that makes no sense',
  cases: {
    'is refused if it goes back, and the checkpoint stays': async ({ store, name }) => {
      for (const [from, to] of backward) {
        const of = name()
        await store.saveStep(of, { from: at(0), to: from, rows: [] })
        await rejectsWith(store.saveStep(of, { from, to, rows: [{ key: 'k', value: 1 }] }), 'RANGE_INVALID')
        assert.deepEqual(await store.loadCheckpoint(of), from)
        assert.deepEqual(await store.loadRows(of, ['k']), [undefined])
      }
    },
    'is refused if a row or the note is not JSON, and nothing of it is saved': async ({ store, name }) => {
      const of = name()
      const calls = {
        row: (on: Store, value: never) =>
          on.saveStep(of, {
            from: at(0),
            to: at(1),
            rows: [
              { key: 'a', value: 1 },
              { key: 'b', value },
            ],
          }),
        note: (on: Store, note: never) =>
          on.saveStep(of, { from: at(0), to: at(1, 0, { note }), rows: [{ key: 'a', value: 1 }] }),
        'the whole note': (on: Store, note: never) =>
          on.saveStep(of, { from: at(0), to: { ...at(1), note }, rows: [] }),
        state: (on: Store, state: never) => on.saveSnapshot(snapshotOf({ state }), { keep: 1 }),
      }
      await refused(store, 'DATA_NOT_JSON', calls, noJson)
      await refused(store, 'DATA_NOT_JSON', { note: calls['the whole note'] }, [undefined, null, 5, 'text', []])
      await refused(store, 'DATA_NOT_JSON', { state: calls.state }, [undefined])
      assert.deepEqual(await store.loadCheckpoint(of), at(0))
      assert.deepEqual(await store.loadRows(of, ['a', 'b']), [undefined, undefined])
    },
    'is refused without its parts': ({ store }) => {
      const steps = {
        step: (of: Store, given: never) => of.saveStep('p', given),
        from: (of: Store, from: never) => of.saveStep('p', step({ from })),
        to: (of: Store, to: never) => of.saveStep('p', step({ to })),
        rows: (of: Store, rows: never) => of.saveStep('p', step({ rows })),
        row: (of: Store, row: never) => of.saveStep('p', step({ rows: [row] })),
      }
      return refused(store, 'OPTION_INVALID', steps, [undefined, null, 5, 'text'])
    },
  },
}

export const argumentOptions: ConformanceGroup = {
  title: 'A wrong value instead of an option or a list',
  cases: {
    'is refused, and so is an unknown option': async ({ store }) => {
      const options = {
        append: (of: Store, given: never) => of.append([], given),
        readStream: (of: Store, given: never) => of.readStream(stream, everything, given),
        readAll: (of: Store, given: never) => of.readAll(everything, given),
        loadSnapshot: (of: Store, given: never) => of.loadSnapshot(stream, given),
        saveSnapshot: (of: Store, given: never) => of.saveSnapshot(snapshotOf({}), given),
        listRows: (of: Store, given: never) => of.listRows('p', given),
      }
      await refused(store, 'OPTION_INVALID', options, [
        null,
        5,
        'text',
        [],
        { limits: 5 },
        { Limit: 5 },
        { keep: 1, limit: 1, offset: 3 },
      ])
      const directions = {
        readStream: (of: Store, direction: never) => of.readStream(stream, everything, { direction }),
        readAll: (of: Store, direction: never) => of.readAll(everything, { direction }),
      }
      await refused(store, 'OPTION_INVALID', directions, ['up', 'Forward', '', null, true, -1])
      const signals = { readAll: (of: Store, signal: never) => of.readAll(everything, { signal }) }
      await refused(store, 'OPTION_INVALID', signals, [null, {}, 'signal', true])
    },
    'is refused instead of a list': async ({ store }) => {
      const lists = {
        append: (of: Store, commits: never) => of.append(commits),
        types: (of: Store, types: never) => of.readAll(everything, { types }),
        aggregates: (of: Store, aggregates: never) => of.readAll(everything, { aggregates }),
        tags: (of: Store, tags: never) => of.readAll(everything, { tags }),
        streamEnds: (of: Store, streams: never) => of.streamEnds(streams),
        reserve: (of: Store, streams: never) => of.reserve(streams, 'w', 1000),
        loadRows: (of: Store, keys: never) => of.loadRows('p', keys),
        loadRowsWithCheckpoint: (of: Store, keys: never) => of.loadRowsWithCheckpoint('p', keys),
        where: (of: Store, where: never) => of.listRows('p', { where, limit: 1 }),
      }
      await refused(store, 'OPTION_INVALID', lists, [null, 'text', 5, {}, new Set(['a'])])
      await refused(store, 'OPTION_INVALID', { where: lists.where }, [
        [5],
        [{}],
        [{ field: 5, oneOf: [1] }],
        [{ field: 'a', oneOf: 5 }],
        [{ field: 'a', gt: 5 }],
      ])
      await refused(store, 'OPTION_INVALID', { append: lists.append }, [[undefined], [{}], [{ ...commitTo(stream) }]])
    },
    'is refused as a listener, at once': ({ store }) => {
      for (const none of [undefined, null, 5, {}]) {
        assert.throws(() => store.onAppend(none as never), { code: 'OPTION_INVALID' })
      }
      return Promise.resolve()
    },
    'changes nothing when it is refused': async ({ store, name }) => {
      const id: StreamId = { aggregate: name(), id: 'a' }
      const good = commit({ stream: id, expected: 'any', id: 'c', recordedAt: 0, events: [{ type: 'A', data: {} }] })
      const head = await store.head()
      await rejectsWith(store.append([good, { ...good } as never]), 'OPTION_INVALID')
      await rejectsWith(store.append([good], { writer: '' }), 'ID_INVALID')
      assert.equal(await store.head(), head)
      assert.deepEqual(await readWhole(store, id), [])
    },
  },
}

export const argumentTransactions: ConformanceGroup = {
  title: 'A transaction that makes no sense',
  needs: 'transactions',
  cases: {
    'is refused, and its work is not called': async ({ store }) => {
      let calls = 0
      const work = async () => {
        calls++
        return { to: at(1), rows: [] }
      }
      const names = { projection: (of: Store, name: never) => of.transact!(name, at(0), work) }
      await refused(store, 'ID_INVALID', names, noTexts)
      const places = { position: (of: Store, position: never) => of.transact!('p', { position, term: 0 }, work) }
      await refused(store, 'RANGE_INVALID', places, noWholes)
      await refused(store, 'OPTION_INVALID', { work: (of, given) => of.transact!('p', at(0), given) }, [undefined, 5])
      assert.equal(calls, 0)
    },
    'is rolled back if its work does not return a step': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(5), rows: [] })
      const returned = { work: (on: Store, given: never) => on.transact!(of, at(5), async () => given) }
      await refused(store, 'RANGE_INVALID', returned, [
        { to: at(2), rows: [] },
        { to: at(5.5), rows: [] },
      ])
      await refused(store, 'OPTION_INVALID', returned, [undefined, {}, { to: at(6) }, { to: at(6), rows: [5] }])
      await refused(store, 'ID_INVALID', returned, [{ to: at(6), rows: [{ key: '\0', value: 1 }] }])
      assert.deepEqual(await store.loadCheckpoint(of), at(5))
    },
  },
}
