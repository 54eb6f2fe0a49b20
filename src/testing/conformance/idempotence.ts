/**
 * The same commit id again: nothing is added, and the answer is the stored commit. Also the chain rule: a commit must
 * not be stored by chance if it was decided on the events of a commit that this batch did not store.
 */
import assert from 'node:assert/strict'
import type { StreamId } from '../../domain/stream.ts'
import type { OfferedCommit } from '../../store/commit.ts'
import type { Store } from '../../store/store.ts'
import { type ConformanceGroup, commitTo, events, grow, readWhole, sequences, store1 } from './kit.ts'

export const duplicates: ConformanceGroup = {
  title: 'The same commit id again',
  cases: {
    'adds nothing, and answers with the stored commit': async ({ store, stream }) => {
      const id = stream()
      const first = await store1(store, commitTo(id, { id: 'c', events: events(3) }))
      const head = await store.head()
      const [again] = await store.append([commitTo(id, { id: 'c', events: events(3) })])
      assert.deepEqual(again, { ...first, status: 'duplicate' })
      assert.equal(await store.head(), head)
      assert.equal((await readWhole(store, id)).length, 3)
    },
    'answers with the stored commit even if the expectation is no longer met': async ({ store, stream }) => {
      const id = stream()
      const first = await store1(store, commitTo(id, { id: 'c', expected: 'none' }))
      const [again] = await store.append([commitTo(id, { id: 'c', expected: 'none' })])
      assert.deepEqual(again, { ...first, status: 'duplicate' })
    },
    'answers with the stored commit even if other events are offered': async ({ store, stream }) => {
      const id = stream()
      const first = await store1(store, commitTo(id, { id: 'c', events: events(1) }))
      const [again] = await store.append([commitTo(id, { id: 'c', events: events(4, 'Other') })])
      assert.deepEqual(again, { ...first, status: 'duplicate' })
      assert.equal((await readWhole(store, id))[0]?.type, 'Happened')
    },
    'answers with its own place even if more was stored since': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 2)
      const first = await store1(store, commitTo(id, { id: 'c', events: events(2) }))
      await grow(store, id, 5)
      await grow(store, stream(), 5)
      const [again] = await store.append([commitTo(id, { id: 'c', events: events(2) })])
      assert.deepEqual(again, { ...first, status: 'duplicate' })
      assert.equal(first.sequence, 4)
    },
    'on another stream is another commit': async ({ store, stream }) => {
      const [a, b] = [stream(), stream()]
      const first = await store1(store, commitTo(a, { id: 'c' }))
      const second = await store1(store, commitTo(b, { id: 'c' }))
      assert.equal(second.position, first.position + 1)
    },
    'on a stream of another aggregate with the same id is another commit': async ({ store, name }) => {
      const id = name()
      await store1(store, commitTo({ aggregate: 'this', id }, { id: 'c' }))
      await store1(store, commitTo({ aggregate: 'that', id }, { id: 'c' }))
    },
    'in one batch is answered with the commit of that batch': async ({ store, stream }) => {
      const id = stream()
      const offered: Partial<OfferedCommit> = { id: 'c', events: events(2) }
      const [first, again] = await store.append([commitTo(id, offered), commitTo(id, offered)])
      assert.equal(first?.status, 'stored')
      assert.deepEqual(again, { ...first, status: 'duplicate' })
      assert.equal((await readWhole(store, id)).length, 2)
    },
    'in one batch conflicts again if the first conflicted': async ({ store, stream }) => {
      const id = stream()
      const offered: Partial<OfferedCommit> = { id: 'c', expected: 7 }
      const results = await store.append([commitTo(id, offered), commitTo(id, offered)])
      assert.deepEqual(results, [
        { status: 'conflict', sequence: 0 },
        { status: 'conflict', sequence: 0 },
      ])
    },
    'in a batch with new commits does not affect them': async ({ store, stream }) => {
      const [a, b] = [stream(), stream()]
      await store1(store, commitTo(a, { id: 'c' }))
      const results = await store.append([commitTo(b), commitTo(a, { id: 'c' }), commitTo(b)])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['stored', 'duplicate', 'stored'],
      )
      assert.deepEqual(sequences(await readWhole(store, b)), [1, 2])
    },
    'of any spelling is recognised': async ({ store, stream }) => {
      for (const id of [
        'a/b',
        "it's",
        '100%',
        '*',
        '>',
        '日本',
        '👩‍🚀',
        'x'.repeat(1024),
        '__proto__',
        ' ',
        'C',
        'c',
      ]) {
        const of = stream()
        await store1(store, commitTo(of, { id }))
        assert.equal((await store.append([commitTo(of, { id })]))[0]?.status, 'duplicate', id)
      }
    },
    'with another case or another space is another id': async ({ store, stream }) => {
      const of = stream()
      for (const id of ['c', 'C', 'c ', ' c', 'c_', 'c%']) await store1(store, commitTo(of, { id }))
      assert.equal((await readWhole(store, of)).length, 6)
    },
  },
}

export const lookups: ConformanceGroup = {
  title: 'Looking for a commit',
  cases: {
    'finds its place': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 2)
      const { sequence, position, count, checksum } = await store1(store, commitTo(id, { id: 'c', events: events(3) }))
      await grow(store, id, 2)
      assert.deepEqual(await store.findCommit(id, 'c'), { sequence, position, count, checksum })
    },
    'finds none on a stream that does not exist': async ({ store, stream }) => {
      assert.equal(await store.findCommit(stream(), 'c'), undefined)
    },
    'finds none with an unknown id': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 1)
      assert.equal(await store.findCommit(id, 'c'), undefined)
    },
    'does not find a commit of another stream': async ({ store, stream }) => {
      const [a, b] = [stream(), stream()]
      await store.append([commitTo(a, { id: 'c' }), commitTo(b)])
      assert.equal(await store.findCommit(b, 'c'), undefined)
    },
    'is not misled by an id that is a property of every object': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 1)
      for (const word of ['constructor', 'toString', '__proto__'])
        assert.equal(await store.findCommit(id, word), undefined)
    },
  },
}

type Outcome = 'stored' | 'duplicate' | 'conflict'

/** Appends a batch to one stream, and compares the results. */
async function outcomes(
  store: Store,
  stream: StreamId,
  batch: readonly (readonly [Partial<OfferedCommit>, Outcome])[],
): Promise<void> {
  const results = await store.append(batch.map(([offered]) => commitTo(stream, offered)))
  assert.deepEqual(
    results.map(({ status }) => status),
    batch.map(([, outcome]) => outcome),
  )
}

export const brokenChains: ConformanceGroup = {
  title: 'After a commit that its batch did not store',
  cases: {
    'an exact expectation on the same stream conflicts even if the number would match': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 2)
      await outcomes(store, id, [
        [{ expected: 1 }, 'conflict'],
        [{ expected: 2 }, 'conflict'],
      ])
      assert.equal((await readWhole(store, id)).length, 2)
    },
    'the conflict names the actual sequence': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 2)
      const results = await store.append([commitTo(id, { expected: 1 }), commitTo(id, { expected: 2 })])
      assert.deepEqual(results[1], { status: 'conflict', sequence: 2 })
    },
    'a duplicate breaks the chain too': async ({ store, stream }) => {
      const id = stream()
      await store1(store, commitTo(id, { id: 'c', events: events(2) }))
      await outcomes(store, id, [
        [{ id: 'c', expected: 0 }, 'duplicate'],
        [{ expected: 2 }, 'conflict'],
      ])
    },
    'a duplicate within the batch breaks the chain too': async ({ store, stream }) => {
      await outcomes(store, stream(), [
        [{ id: 'c', expected: 0 }, 'stored'],
        [{ id: 'c', expected: 0 }, 'duplicate'],
        [{ expected: 1 }, 'conflict'],
      ])
    },
    'a commit whose own id is already stored is answered as a duplicate': async ({ store, stream }) => {
      const id = stream()
      await store.append([commitTo(id, { id: 'a' }), commitTo(id, { id: 'b' })])
      await outcomes(store, id, [
        [{ expected: 0 }, 'conflict'],
        [{ id: 'b', expected: 1 }, 'duplicate'],
      ])
    },
    'a repeated batch is answered with duplicates only': async ({ store, stream }) => {
      const id = stream()
      const batch = [0, 1, 2].map((expected) => commitTo(id, { id: `c${expected}`, expected }))
      const first = await store.append(batch)
      const again = await store.append(batch)
      assert.deepEqual(
        again,
        first.map((result) => ({ ...result, status: 'duplicate' })),
      )
    },
    'the whole rest of a chain of exact expectations conflicts': async ({ store, stream }) => {
      const id = stream()
      await outcomes(store, id, [
        [{ expected: 0 }, 'stored'],
        [{ expected: 0 }, 'conflict'],
        [{ expected: 1 }, 'conflict'],
        [{ expected: 1 }, 'conflict'],
        [{ expected: 2 }, 'conflict'],
      ])
      assert.equal((await readWhole(store, id)).length, 1)
    },
    'expecting anything is still met': async ({ store, stream }) => {
      await outcomes(store, stream(), [
        [{ expected: 4 }, 'conflict'],
        [{ expected: 'any' }, 'stored'],
      ])
    },
    'expecting no event is still checked against the stream': async ({ store, stream }) => {
      await outcomes(store, stream(), [
        [{ expected: 4 }, 'conflict'],
        [{ expected: 'none' }, 'stored'],
        [{ expected: 'none' }, 'conflict'],
      ])
    },
    'expecting some event is still checked against the stream': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 1)
      await outcomes(store, id, [
        [{ expected: 'none' }, 'conflict'],
        [{ expected: 'exists' }, 'stored'],
      ])
    },
    'sequence 0 on a new stream conflicts, because it is an exact expectation': async ({ store, stream }) => {
      await outcomes(store, stream(), [
        [{ expected: 1 }, 'conflict'],
        [{ expected: 0 }, 'conflict'],
      ])
    },
    'the chain stays broken even if another commit was stored in between': async ({ store, stream }) => {
      await outcomes(store, stream(), [
        [{ expected: 4 }, 'conflict'],
        [{ expected: 'any' }, 'stored'],
        [{ expected: 1 }, 'conflict'],
      ])
    },
    'other streams of the batch are not affected': async ({ store, stream }) => {
      const [a, b] = [stream(), stream()]
      const results = await store.append([
        commitTo(a, { expected: 3 }),
        commitTo(b, { expected: 0 }),
        commitTo(b, { expected: 1 }),
      ])
      assert.deepEqual(
        results.map(({ status }) => status),
        ['conflict', 'stored', 'stored'],
      )
    },
    'the next batch starts again': async ({ store, stream }) => {
      const id = stream()
      await outcomes(store, id, [[{ expected: 3 }, 'conflict']])
      await outcomes(store, id, [[{ expected: 0 }, 'stored']])
    },
  },
}
