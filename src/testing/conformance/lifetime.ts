/** The life of a store: wake-ups, closing, and what it still has after the place is opened again. */
import assert from 'node:assert/strict'
import type { Store } from '../../store/store.ts'
import { at } from '../checkpoint-at.ts'
import {
  type ConformanceGroup,
  commitTo,
  events,
  everything,
  grow,
  positions,
  readAfter,
  readWhole,
  rejectsWith,
  sequences,
  store1,
  until,
  upTo,
} from './kit.ts'

export const wakeUps: ConformanceGroup = {
  title: 'Wake-ups',
  cases: {
    'come after an append of the same store': async ({ store, stream }) => {
      let calls = 0
      const end = store.onAppend(() => calls++)
      await grow(store, stream(), 1)
      await until(() => calls > 0)
      end()
    },
    'go to every listener': async ({ store, stream }) => {
      const calls = [0, 0, 0]
      const ends = calls.map((_, i) => store.onAppend(() => calls[i]!++))
      await grow(store, stream(), 1)
      await until(() => calls.every((count) => count > 0))
      for (const end of ends) end()
    },
    'end for a listener when it unsubscribes, and only for that one': async ({ store, stream }) => {
      let [ended, alive] = [0, 0]
      const end = store.onAppend(() => ended++)
      const endOther = store.onAppend(() => alive++)
      await grow(store, stream(), 1)
      await until(() => ended > 0 && alive > 0)
      end()
      end()
      const before = ended
      alive = 0
      await grow(store, stream(), 1)
      await until(() => alive > 0)
      assert.equal(ended, before)
      endOther()
    },
    'reach the others when a listener throws': async ({ store, stream }) => {
      let calls = 0
      const endBad = store.onAppend(() => {
        throw new Error('a bad listener')
      })
      const end = store.onAppend(() => calls++)
      const id = stream()
      assert.equal((await grow(store, id, 1)).sequence, 1)
      await until(() => calls > 0)
      assert.equal((await grow(store, id, 1)).sequence, 2)
      endBad()
      end()
    },
  },
}

/** Every call of the port that reads or writes stored data. */
const calls: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  append: (store) => store.append([commitTo({ aggregate: 'a', id: 'b' })]),
  readStream: (store) => store.readStream({ aggregate: 'a', id: 'b' }, everything),
  readAll: (store) => store.readAll(everything),
  findCommit: (store) => store.findCommit({ aggregate: 'a', id: 'b' }, 'c'),
  streamEnds: (store) => store.streamEnds([{ aggregate: 'a', id: 'b' }]),
  listStreams: (store) => store.listStreams('a', { limit: 1 }),
  reserve: (store) => store.reserve([{ aggregate: 'a', id: 'b' }], 'w', 1000),
  head: (store) => store.head(),
  saveSnapshot: (store) =>
    store.saveSnapshot(
      {
        stream: { aggregate: 'a', id: 'b' },
        sequence: 1,
        stateRevision: 1,
        checksum: 1,
        fingerprint: 'f',
        state: {},
        takenAt: 0,
      },
      { keep: 1 },
    ),
  loadSnapshot: (store) => store.loadSnapshot({ aggregate: 'a', id: 'b' }),
  loadCheckpoint: (store) => store.loadCheckpoint('p'),
  loadRows: (store) => store.loadRows('p', ['k']),
  loadRowsWithCheckpoint: (store) => store.loadRowsWithCheckpoint('p', ['k']),
  listRows: (store) => store.listRows('p', { limit: 1 }),
  saveStep: (store) => store.saveStep('p', { from: at(0), to: at(1), rows: [] }),
  resetProjection: (store) => store.resetProjection('p'),
  acquireLease: (store) => store.acquireLease('l', 'a', 1000),
  releaseLease: (store) => store.releaseLease('l', 'a'),
}

export const closing: ConformanceGroup = {
  title: 'Closing',
  cases: {
    'makes every call fail with STORE_CLOSED': async ({ place }) => {
      await using own = await place()
      const store = await own.open()
      await store.close()
      for (const call of Object.values(calls)) await rejectsWith(call(store), 'STORE_CLOSED')
    },
    'twice does nothing the second time': async ({ place }) => {
      await using own = await place()
      const store = await own.open()
      await Promise.all([store.close(), store.close()])
      await store.close()
    },
    'waits for appends in progress': async ({ place, stream }) => {
      await using own = await place()
      const store = await own.open()
      const appended = Array.from({ length: 10 }, () => store.append([commitTo(stream())]))
      await store.close()
      for (const results of await Promise.all(appended)) assert.equal(results[0]?.status, 'stored')
    },
    'lets each read in progress end with an answer or with STORE_CLOSED': async ({ place, stream }) => {
      await using own = await place()
      const store = await own.open()
      const id = stream()
      await grow(store, id, 500)
      const reads = Array.from({ length: 10 }, () => readWhole(store, id))
      const settled = Promise.allSettled(reads)
      await store.close()
      for (const outcome of await settled) {
        if (outcome.status === 'fulfilled') assert.equal(outcome.value.length, 500)
        else assert.equal(outcome.reason.code, 'STORE_CLOSED')
      }
    },
    'lets a listener unsubscribe again': async ({ place }) => {
      await using own = await place()
      const store = await own.open()
      const end = store.onAppend(() => {})
      await store.close()
      end()
    },
  },
}

export const reopening: ConformanceGroup = {
  title: 'A place that is opened again',
  needs: 'survivesReopen',
  cases: {
    'has every event as it was, and continues after the last position': async ({ place, stream }) => {
      await using own = await place()
      const [a, b] = [stream(), stream()]
      const data = { text: '"\0日本\n', list: [1.5, null, {}] }
      const first = await own.open()
      await store1(first, commitTo(a, { events: [{ type: 'Kept', data, metadata: { m: 1 }, tags: ['t', 'u'] }] }))
      await first.append([commitTo(b, { events: events(2) }), commitTo(a, { expected: 9 }), commitTo(a)])
      const before = structuredClone(await readAfter(first, 0))
      await first.close()
      const second = await own.open()
      assert.deepEqual(structuredClone(await readAfter(second, 0)), before)
      assert.equal(await second.head(), 4)
      assert.deepEqual(sequences(await readWhole(second, a)), [1, 2])
      assert.equal((await grow(second, a, 1)).sequence, 3)
      assert.deepEqual(positions(await readAfter(second, 0)), upTo(5))
    },
    'can be filtered as before': async ({ place, stream }) => {
      await using own = await place()
      const first = await own.open()
      const offered = ['A', 'B', 'A'].map((type, i) => ({ type, data: i, tags: [`t${i}`] }))
      await store1(first, commitTo(stream('left'), { events: offered }))
      await store1(first, commitTo(stream('right'), { events: offered }))
      await first.close()
      const second = await own.open()
      const read = async (filter: object) => positions((await second.readAll(everything, filter)).events)
      assert.deepEqual(await read({ types: ['A'] }), [1, 3, 4, 6])
      assert.deepEqual(await read({ aggregates: ['right'] }), [4, 5, 6])
      assert.deepEqual(await read({ tags: ['t1'] }), [2, 5])
    },
    'still checks expectations': async ({ place, stream }) => {
      await using own = await place()
      const id = stream()
      const first = await own.open()
      await grow(first, id, 3)
      await first.close()
      const second = await own.open()
      assert.deepEqual(await second.append([commitTo(id, { expected: 2 })]), [{ status: 'conflict', sequence: 3 }])
      assert.equal((await second.append([commitTo(id, { expected: 3 })]))[0]?.status, 'stored')
    },
    'still recognises commit ids': async ({ place, stream }) => {
      await using own = await place()
      const id = stream()
      const first = await own.open()
      await grow(first, id, 1)
      const { sequence, position, count, checksum } = await store1(first, commitTo(id, { id: 'c', events: events(2) }))
      await grow(first, id, 1)
      await first.close()
      const second = await own.open()
      assert.deepEqual(await second.findCommit(id, 'c'), { sequence, position, count, checksum })
      const [again] = await second.append([commitTo(id, { id: 'c' })])
      assert.deepEqual(again, { status: 'duplicate', sequence, position, count, checksum })
      assert.equal(await second.head(), 4)
    },
    'has the appends that were in progress when it was closed': async ({ place, stream }) => {
      await using own = await place()
      const id = stream()
      const first = await own.open()
      const appended = Promise.all(Array.from({ length: 10 }, () => first.append([commitTo(id)])))
      await first.close()
      await appended
      const second = await own.open()
      assert.deepEqual(sequences(await readWhole(second, id)), upTo(10))
    },
    'has its snapshots': async ({ place, stream }) => {
      await using own = await place()
      const id = stream()
      const first = await own.open()
      const saved = {
        stream: id,
        sequence: 4,
        stateRevision: 2,
        checksum: 2 ** 40,
        fingerprint: 'f',
        state: { a: ['\0'] },
        takenAt: 5,
      }
      await first.saveSnapshot({ ...saved, sequence: 2 }, { keep: 2 })
      await first.saveSnapshot(saved, { keep: 2 })
      await first.close()
      const second = await own.open()
      const loaded = await second.loadSnapshot(id)
      assert.deepEqual({ ...loaded, stream: { ...loaded?.stream } }, saved)
      assert.equal((await second.loadSnapshot(id, { atOrBefore: 3 }))?.sequence, 2)
    },
    'has its rows and checkpoints': async ({ place }) => {
      await using own = await place()
      const first = await own.open()
      await first.saveStep('p', {
        from: at(0),
        to: at(7),
        rows: [
          { key: 'a', value: { n: 1 } },
          { key: 'b', value: null },
        ],
      })
      await first.saveStep('p', {
        from: at(7),
        to: at(9),
        rows: [
          { key: 'c', value: 2 },
          { key: 'a', value: undefined },
        ],
      })
      await first.saveStep('q', { from: at(0), to: at(3), rows: [{ key: 'a', value: 1 }] })
      await first.resetProjection('q')
      await first.close()
      const second = await own.open()
      assert.equal((await second.loadCheckpoint('p')).position, 9)
      assert.deepEqual(await second.loadRows('p', ['a', 'b', 'c']), [undefined, null, 2])
      assert.equal((await second.loadCheckpoint('q')).position, 0)
      assert.deepEqual((await second.listRows('q', { limit: 5 })).rows, [])
    },
    'is empty if it was empty before': async ({ place }) => {
      await using own = await place()
      await (await own.open()).close()
      const second = await own.open()
      assert.equal(await second.head(), 0)
    },
    'may be opened and closed many times': async ({ place, stream }) => {
      await using own = await place()
      const id = stream()
      for (let sequence = 1; sequence <= 5; sequence++) {
        const store = await own.open()
        assert.equal((await grow(store, id, 1)).sequence, sequence)
        await store.close()
      }
    },
  },
}
