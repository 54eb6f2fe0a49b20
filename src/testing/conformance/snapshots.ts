/** Snapshots: the newest is loaded, an older one never replaces it, and only the last few are kept. */
import assert from 'node:assert/strict'
import type { StreamId } from '../../domain/stream.ts'
import type { Snapshot } from '../../store/store.ts'
import { type ConformanceGroup, grow, readWhole } from './kit.ts'

const snapshot = (stream: StreamId, sequence: number, more: Partial<Snapshot> = {}): Snapshot => ({
  ...{
    stream,
    sequence,
    stateRevision: 1,
    checksum: 7,
    fingerprint: 'f',
    state: { balance: sequence },
    takenAt: 1000 + sequence,
  },
  ...more,
})

export const snapshots: ConformanceGroup = {
  title: 'Snapshots',
  cases: {
    'are not found if none was saved': async ({ store, stream }) => {
      assert.equal(await store.loadSnapshot(stream()), undefined)
      assert.equal(await store.loadSnapshot(stream(), { atOrBefore: 5 }), undefined)
    },
    'are not found if there are only events': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 2)
      assert.equal(await store.loadSnapshot(id), undefined)
    },
    'come back as they were saved': async ({ store, stream }) => {
      const id = stream()
      const state = { text: "it's \0 \ud800 日本", list: [1, [2.5], {}], nothing: null, $date: 'x', 'a.b': true, '': 0 }
      const saved = snapshot(id, 7, { stateRevision: 3, takenAt: 1_767_225_600_123, state })
      await store.saveSnapshot(saved, { keep: 1 })
      const loaded = await store.loadSnapshot(id)
      assert.deepEqual({ ...loaded, stream: { ...loaded?.stream } }, saved)
    },
    'may be of a state that is not a record': async ({ store, stream }) => {
      for (const state of [null, 5, 'text', [], false]) {
        const id = stream()
        await store.saveSnapshot(snapshot(id, 1, { state }), { keep: 1 })
        assert.deepEqual((await store.loadSnapshot(id))?.state, state)
      }
    },
    'need no events in this store, because events may be in another': async ({ store, stream }) => {
      const id = stream()
      await store.saveSnapshot(snapshot(id, 1000), { keep: 1 })
      assert.equal((await store.loadSnapshot(id))?.sequence, 1000)
      assert.deepEqual(await readWhole(store, id), [])
    },
    'of a later sequence are loaded': async ({ store, stream }) => {
      const id = stream()
      for (const sequence of [3, 6, 9]) await store.saveSnapshot(snapshot(id, sequence), { keep: 2 })
      assert.equal((await store.loadSnapshot(id))?.sequence, 9)
    },
    'of an earlier sequence never replace a later one': async ({ store, stream }) => {
      const id = stream()
      await store.saveSnapshot(snapshot(id, 9), { keep: 1 })
      await store.saveSnapshot(snapshot(id, 3), { keep: 1 })
      assert.equal((await store.loadSnapshot(id))?.sequence, 9)
    },
    'of an earlier sequence are loaded as the earlier one if there is room for it': async ({ store, stream }) => {
      const id = stream()
      await store.saveSnapshot(snapshot(id, 9), { keep: 2 })
      await store.saveSnapshot(snapshot(id, 3), { keep: 2 })
      assert.equal((await store.loadSnapshot(id))?.sequence, 9)
      assert.equal((await store.loadSnapshot(id, { atOrBefore: 8 }))?.sequence, 3)
    },
    'of the same sequence are replaced': async ({ store, stream }) => {
      const id = stream()
      await store.saveSnapshot(snapshot(id, 3, { state: 'old', stateRevision: 1 }), { keep: 1 })
      await store.saveSnapshot(snapshot(id, 3, { state: 'new', stateRevision: 2 }), { keep: 1 })
      const loaded = await store.loadSnapshot(id)
      assert.equal(loaded?.state, 'new')
      assert.equal(loaded?.stateRevision, 2)
    },
    'that replace one of the same sequence do not displace others': async ({ store, stream }) => {
      const id = stream()
      for (const sequence of [3, 6, 6, 6]) await store.saveSnapshot(snapshot(id, sequence), { keep: 2 })
      assert.equal((await store.loadSnapshot(id, { atOrBefore: 5 }))?.sequence, 3)
    },
    'are kept in the requested number': async ({ store, stream }) => {
      const id = stream()
      for (let sequence = 1; sequence <= 6; sequence++) await store.saveSnapshot(snapshot(id, sequence), { keep: 3 })
      for (const sequence of [4, 5, 6])
        assert.equal((await store.loadSnapshot(id, { atOrBefore: sequence }))?.sequence, sequence)
      assert.equal(await store.loadSnapshot(id, { atOrBefore: 3 }), undefined)
    },
    'are deleted when fewer are requested': async ({ store, stream }) => {
      const id = stream()
      for (let sequence = 1; sequence <= 4; sequence++) await store.saveSnapshot(snapshot(id, sequence), { keep: 4 })
      await store.saveSnapshot(snapshot(id, 5), { keep: 1 })
      assert.equal(await store.loadSnapshot(id, { atOrBefore: 4 }), undefined)
      assert.equal((await store.loadSnapshot(id))?.sequence, 5)
    },
    'are deleted when fewer are requested, also with one that is too old to be kept': async ({ store, stream }) => {
      const id = stream()
      for (const sequence of [3, 6]) await store.saveSnapshot(snapshot(id, sequence), { keep: 2 })
      await store.saveSnapshot(snapshot(id, 1), { keep: 1 })
      assert.equal(await store.loadSnapshot(id, { atOrBefore: 5 }), undefined)
      assert.equal((await store.loadSnapshot(id))?.sequence, 6)
    },
    'are found at or before a sequence': async ({ store, stream }) => {
      const id = stream()
      for (const sequence of [3, 6, 9]) await store.saveSnapshot(snapshot(id, sequence), { keep: 9 })
      const at = async (atOrBefore: number) => (await store.loadSnapshot(id, { atOrBefore }))?.sequence
      assert.deepEqual(await Promise.all([0, 2, 3, 5, 6, 8, 9, 100].map(at)), [undefined, undefined, 3, 3, 6, 6, 9, 9])
    },
    'of one stream are separate from those of another': async ({ store, name }) => {
      const id = name()
      const ids = ['user', 'user_', 'USER', 'use%'].map((aggregate) => ({ aggregate, id }))
      for (const [i, stream] of ids.entries()) await store.saveSnapshot(snapshot(stream, i + 1), { keep: 1 })
      for (const [i, stream] of ids.entries()) assert.equal((await store.loadSnapshot(stream))?.sequence, i + 1)
    },
    'cannot be changed by the code that saved or loaded them': async ({ store, stream }) => {
      const id = stream()
      const state = { list: [1] }
      await store.saveSnapshot(snapshot(id, 1, { state }), { keep: 1 })
      state.list.push(2)
      const loaded = (await store.loadSnapshot(id)) as { state: unknown }
      try {
        ;(loaded.state as typeof state).list.push(3)
      } catch {
        // It is frozen, which is allowed.
      }
      assert.deepEqual((await store.loadSnapshot(id))?.state, { list: [1] })
    },
    'may be large': async ({ store, stream }) => {
      const id = stream()
      const state = 'x'.repeat(500_000)
      await store.saveSnapshot(snapshot(id, 1, { state }), { keep: 1 })
      assert.ok((await store.loadSnapshot(id))?.state === state)
    },
    'that are saved at the same time leave the newest': async ({ store, stream }) => {
      const id = stream()
      const order = [5, 1, 8, 3, 9, 2, 7, 4, 6, 10]
      await Promise.all(order.map((sequence) => store.saveSnapshot(snapshot(id, sequence), { keep: 2 })))
      assert.equal((await store.loadSnapshot(id))?.sequence, 10)
      assert.equal((await store.loadSnapshot(id, { atOrBefore: 9 }))?.sequence, 9)
    },
  },
}
