/** Positions in the log are 1, 2, 3 ... in the order of commits. */
import assert from 'node:assert/strict'
import {
  bare,
  type ConformanceGroup,
  commitTo,
  events,
  everything,
  grow,
  positions,
  readAfter,
  readWhole,
  rejectsWith,
  store1,
  upTo,
} from './kit.ts'

export const emptyLog: ConformanceGroup = {
  title: 'An empty store',
  cases: {
    'has the head 0, no events, and nothing examined': async ({ place }) => {
      await using own = await place()
      const store = await own.open()
      assert.equal(await store.head(), 0)
      for (const direction of ['forward', 'backward'] as const) {
        for (const filter of [{}, { types: ['A'] }]) {
          const page = await store.readAll(everything, { direction, ...filter })
          const what = `${direction}, with ${JSON.stringify(filter)}`
          assert.deepEqual([what, page], [what, { events: [], examined: 0, checksum: 0, isLast: true }])
        }
      }
      assert.equal((await store.readAll(everything, { limit: 0 })).examined, 0)
      assert.equal(await store.findCommit({ aggregate: 'a', id: 'b' }, 'c'), undefined)
    },
    'gives its first event the position 1': async ({ place, stream }) => {
      await using own = await place()
      const store = await own.open()
      const conflict = commitTo(stream(), { expected: 'exists' })
      const [, first] = await store.append([conflict, commitTo(stream())])
      assert.deepEqual(bare(first), { status: 'stored', sequence: 1, position: 1, count: 1 })
      assert.equal(await store.head(), 1)
      const page = await store.readAll(everything)
      assert.deepEqual(positions(page.events), [1])
      assert.equal(page.examined, 1)
    },
    'is still empty after conflicts and refusals': async ({ place, stream }) => {
      await using own = await place()
      const store = await own.open()
      await store.append([commitTo(stream(), { expected: 3 })])
      const tooMany = commitTo(stream(), { events: events(store.limits.commitEventsMax + 1) })
      await rejectsWith(store.append([tooMany]), 'COMMIT_TOO_LARGE')
      assert.equal(await store.head(), 0)
    },
  },
}

export const logPositions: ConformanceGroup = {
  title: 'Positions',
  cases: {
    'have no gaps between commits, batches and streams': async ({ store, stream }) => {
      const base = await store.head()
      const ids = [stream(), stream(), stream()]
      for (let round = 0; round < 10; round++)
        await store.append(ids.map((id) => commitTo(id, { events: events(1 + (round % 3)) })))
      const read = positions(await readAfter(store, base))
      assert.deepEqual(read, upTo(base + read.length, base + 1))
      assert.equal(await store.head(), base + read.length)
    },
    'of an answer are those of the last event of a commit': async ({ store, stream }) => {
      const id = stream()
      const base = await store.head()
      const receipt = await grow(store, id, 4)
      assert.equal(receipt.position, base + 4)
      assert.deepEqual(positions(await readWhole(store, id)), upTo(base + 4, base + 1))
    },
    'are not used up by a conflict': async ({ store, stream }) => {
      const base = await store.head()
      const results = await store.append([
        commitTo(stream()),
        commitTo(stream(), { expected: 8, events: events(5) }),
        commitTo(stream()),
      ])
      assert.deepEqual(bare(results[2]), { status: 'stored', sequence: 1, position: base + 2, count: 1 })
    },
    'are not used up by a duplicate': async ({ store, stream }) => {
      const id = stream()
      await store1(store, commitTo(id, { id: 'c', events: events(3) }))
      const base = await store.head()
      await store.append([commitTo(id, { id: 'c', events: events(3) })])
      assert.equal((await grow(store, stream(), 1)).position, base + 1)
    },
    'are not used up by a refused batch': async ({ store, stream }) => {
      const base = await store.head()
      const tooMany = commitTo(stream(), { events: events(store.limits.commitEventsMax + 1) })
      await rejectsWith(store.append([commitTo(stream()), tooMany]), 'COMMIT_TOO_LARGE')
      assert.equal((await grow(store, stream(), 1)).position, base + 1)
    },
    'rise with the sequences of every stream': async ({ store, stream }) => {
      const ids = [stream(), stream()]
      for (let round = 0; round < 12; round++) await grow(store, ids[(round * 7) % 2]!, 1 + (round % 2))
      for (const id of ids) {
        const read = positions(await readWhole(store, id))
        assert.deepEqual(
          read,
          [...read].sort((a, b) => a - b),
        )
      }
    },
    'can be read at once': async ({ store, stream }) => {
      for (let round = 0; round < 10; round++) {
        const { position } = await grow(store, stream(), 2)
        assert.ok((await store.head()) >= position)
        const { events: read } = await store.readAll({ from: position, to: position + 1 })
        assert.equal(read[0]?.position, position)
      }
    },
    'are found by looking for the commit': async ({ store, stream }) => {
      const id = stream()
      const { position } = await store1(store, commitTo(id, { id: 'c', events: events(2) }))
      const [last] = await store.readStream(id, everything, { direction: 'backward', limit: 1 })
      assert.equal(last?.position, position)
      assert.equal((await store.findCommit(id, 'c'))?.position, position)
    },
  },
}
