/** Appending: expectations, conflicts, commits, batches, and what is refused before anything is written. */
import assert from 'node:assert/strict'
import type { Commit, Expected, OfferedCommit } from '../../store/commit.ts'
import type { StoreLimits } from '../../store/store.ts'
import {
  bare,
  type ConformanceCase,
  type ConformanceGroup,
  commitTo,
  events,
  grow,
  readAfter,
  readWhole,
  rejectsWith,
  sequences,
  store1,
  upTo,
} from './kit.ts'

/** On a stream of `length` events, a commit with this expectation is stored, or conflicts and names the sequence. */
const expectation =
  (length: number, expected: Expected, outcome: 'stored' | 'conflict'): ConformanceCase =>
  async ({ store, stream }) => {
    const id = stream()
    if (length > 0) await grow(store, id, length)
    const head = await store.head()
    const [result] = await store.append([commitTo(id, { expected })])
    if (outcome === 'stored') {
      assert.deepEqual(bare(result), { status: 'stored', sequence: length + 1, position: head + 1, count: 1 })
    } else {
      assert.deepEqual(result, { status: 'conflict', sequence: length })
      assert.equal(await store.head(), head)
    }
    assert.equal((await readWhole(store, id)).length, outcome === 'stored' ? length + 1 : length)
  }

export const expectations: ConformanceGroup = {
  title: 'Expectations',
  cases: {
    'anything is met by a new stream': expectation(0, 'any', 'stored'),
    'anything is met by an existing stream': expectation(3, 'any', 'stored'),
    'no event is met by a new stream': expectation(0, 'none', 'stored'),
    'no event conflicts with an existing stream': expectation(3, 'none', 'conflict'),
    'some event conflicts with a new stream': expectation(0, 'exists', 'conflict'),
    'some event is met by an existing stream': expectation(3, 'exists', 'stored'),
    'sequence 0 is met by a new stream': expectation(0, 0, 'stored'),
    'sequence 0 conflicts with an existing stream': expectation(3, 0, 'conflict'),
    'the exact sequence is met': expectation(3, 3, 'stored'),
    'a sequence behind the stream conflicts': expectation(3, 2, 'conflict'),
    'a sequence ahead of the stream conflicts, so that no gap arises': expectation(3, 4, 'conflict'),
    'a sequence far ahead of a new stream conflicts': expectation(0, 5, 'conflict'),
    'an enormous sequence conflicts': expectation(1, Number.MAX_SAFE_INTEGER, 'conflict'),
    'a conflict writes none of the events of its commit': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 1)
      await store.append([commitTo(id, { expected: 0, events: events(5) })])
      assert.deepEqual(sequences(await readWhole(store, id)), [1])
    },
    'a conflict does not use up the id of its commit': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 1)
      const offered = { id: 'again', expected: 0 }
      await store.append([commitTo(id, offered)])
      assert.equal(await store.findCommit(id, 'again'), undefined)
      const [result] = await store.append([commitTo(id, { ...offered, expected: 1 })])
      assert.equal(result?.status, 'stored')
    },
  },
}

export const commits: ConformanceGroup = {
  title: 'A commit',
  cases: {
    'of one event is read back as it was offered': async ({ store, stream }) => {
      const id = stream()
      const { position, checksum } = await store1(
        store,
        commitTo(id, {
          id: 'c1',
          recordedAt: 1_767_225_600_123,
          events: [{ type: 'Opened', revision: 2, data: { owner: 'Ada' }, metadata: { user: 'u' }, tags: ['t'] }],
        }),
      )
      const [event] = await readWhole(store, id)
      assert.deepEqual(
        { ...event, stream: { ...event?.stream } },
        {
          stream: id,
          type: 'Opened',
          revision: 2,
          data: { owner: 'Ada' },
          metadata: { user: 'u' },
          tags: ['t'],
          sequence: 1,
          position,
          recordedAt: 1_767_225_600_123,
          commitId: 'c1',
          checksum,
        },
      )
    },
    'of several events has contiguous sequences from 1, in the order offered': async ({ store, stream }) => {
      const id = stream()
      const receipt = await store1(
        store,
        commitTo(id, { events: ['A', 'B', 'C'].map((type) => ({ type, data: null })) }),
      )
      const read = await readWhole(store, id)
      assert.deepEqual(sequences(read), [1, 2, 3])
      assert.equal(read.map(({ type }) => type).join(), 'A,B,C')
      assert.equal(receipt.count, 3)
      assert.equal(receipt.sequence, 3)
    },
    'continues the sequences of the previous commit': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 2)
      assert.equal((await grow(store, id, 3)).sequence, 5)
      assert.deepEqual(sequences(await readWhole(store, id)), upTo(5))
    },
    'of 1,001 events, or of 1,000 if the store takes no more, is stored whole': async ({ store, stream }) => {
      const id = stream()
      const count = Math.min(1001, store.limits.commitEventsMax)
      const receipt = await grow(store, id, count)
      assert.equal(receipt.count, count)
      const read = await readWhole(store, id)
      assert.deepEqual(sequences(read), upTo(count))
      assert.equal(read.at(-1)?.position, receipt.position)
      assert.equal(read[0]?.position, receipt.position - count + 1)
    },
    'gives its id and its time to all of its events': async ({ store, stream }) => {
      const id = stream()
      await store1(store, commitTo(id, { id: 'the command', recordedAt: 77, events: events(3) }))
      for (const { commitId, recordedAt } of await readWhole(store, id)) {
        assert.equal(commitId, 'the command')
        assert.equal(recordedAt, 77)
      }
    },
    'may be recorded at the very beginning of 1970': async ({ store, stream }) => {
      const id = stream()
      await store1(store, commitTo(id, { recordedAt: 0 }))
      assert.equal((await readWhole(store, id))[0]?.recordedAt, 0)
    },
    'may be recorded earlier than the previous commit: time does not decide the order': async ({ store, stream }) => {
      const id = stream()
      await store1(store, commitTo(id, { recordedAt: 2000 }))
      await store1(store, commitTo(id, { recordedAt: 1000 }))
      assert.deepEqual(
        (await readWhole(store, id)).map(({ recordedAt }) => recordedAt),
        [2000, 1000],
      )
    },
  },
}

export const batches: ConformanceGroup = {
  title: 'A batch',
  cases: {
    'of no commits answers with no results and stores nothing': async ({ store }) => {
      const head = await store.head()
      assert.deepEqual(await store.append([]), [])
      assert.equal(await store.head(), head)
    },
    'of many streams stores every commit and answers in order': async ({ store, stream }) => {
      const ids = Array.from({ length: 20 }, () => stream())
      const head = await store.head()
      const results = await store.append(ids.map((id) => commitTo(id, { events: events(2) })))
      assert.deepEqual(
        results.map(bare),
        ids.map((_, i) => ({ status: 'stored', sequence: 2, position: head + 2 * i + 2, count: 2 })),
      )
      for (const id of ids) assert.equal((await readWhole(store, id)).length, 2)
    },
    'with a conflict stores all other commits': async ({ store, stream }) => {
      const ids = Array.from({ length: 5 }, () => stream())
      const results = await store.append(ids.map((id, i) => commitTo(id, { expected: i === 2 ? 9 : 'none' })))
      assert.deepEqual(
        results.map(({ status }) => status),
        ['stored', 'stored', 'conflict', 'stored', 'stored'],
      )
      assert.deepEqual(await readWhole(store, ids[2]!), [])
      assert.deepEqual(sequences(await readWhole(store, ids[3]!)), [1])
    },
    'in which all commits conflict stores nothing': async ({ store, stream }) => {
      const head = await store.head()
      const results = await store.append([stream(), stream()].map((id) => commitTo(id, { expected: 'exists' })))
      assert.deepEqual(results, [
        { status: 'conflict', sequence: 0 },
        { status: 'conflict', sequence: 0 },
      ])
      assert.equal(await store.head(), head)
    },
    'of several commits on one stream checks each against the result of the previous one': async ({
      store,
      stream,
    }) => {
      const id = stream()
      const results = await store.append([
        commitTo(id, { expected: 'none', events: events(2) }),
        commitTo(id, { expected: 2 }),
        commitTo(id, { expected: 'exists' }),
        commitTo(id, { expected: 4, events: events(3) }),
      ])
      assert.deepEqual(
        results.map((result) => [result.status, result.sequence]),
        [
          ['stored', 2],
          ['stored', 3],
          ['stored', 4],
          ['stored', 7],
        ],
      )
      assert.deepEqual(sequences(await readWhole(store, id)), upTo(7))
    },
    'names in a conflict the sequence after its earlier commits': async ({ store, stream }) => {
      const id = stream()
      const [, conflict] = await store.append([commitTo(id, { events: events(3) }), commitTo(id, { expected: 'none' })])
      assert.deepEqual(conflict, { status: 'conflict', sequence: 3 })
    },
    'keeps each commit together, commit after commit': async ({ store, stream }) => {
      const [a, b] = [stream(), stream()]
      const head = await store.head()
      await store.append([a, b, a, b].map((id, i) => commitTo(id, { id: `k${i}`, events: events(3) })))
      const read = await readAfter(store, head)
      assert.equal(read.map(({ commitId }) => commitId).join(), 'k0,k0,k0,k1,k1,k1,k2,k2,k2,k3,k3,k3')
    },
    'of 300 commits is stored': async ({ store, stream }) => {
      const results = await store.append(Array.from({ length: 300 }, () => commitTo(stream())))
      assert.ok(results.every(({ status }) => status === 'stored'))
      assert.equal(results.length, 300)
    },
  },
}

/** Appends a batch with a commit that must be refused, and expects that nothing of the batch was stored. */
const refused =
  (make: (limits: StoreLimits) => Partial<OfferedCommit>): ConformanceCase =>
  async ({ store, stream }) => {
    const [good, bad] = [stream(), stream()]
    const head = await store.head()
    await rejectsWith(store.append([commitTo(good), commitTo(bad, make(store.limits))]), 'COMMIT_TOO_LARGE')
    assert.equal(await store.head(), head)
    assert.deepEqual(await readWhole(store, good), [])
  }

export const limits: ConformanceGroup = {
  title: 'Limits',
  cases: {
    'and a name are given by the store': async ({ store }) => {
      assert.ok(store.name.length > 0)
      assert.ok(store.limits.commitEventsMax >= 1000, 'limits.commitEventsMax is at least 1000')
      assert.ok(store.limits.commitSizeMax >= 100_000)
    },
    'a commit with one event too many is refused, with its whole batch': refused(({ commitEventsMax }) => ({
      events: events(commitEventsMax + 1),
    })),
    'a commit with one character too many is refused, with its whole batch': refused(({ commitSizeMax }) => ({
      events: [{ type: 'Large', data: 'x'.repeat(commitSizeMax) }],
    })),
    'a commit of as many events as allowed is stored': async ({ store, stream }) => {
      const { commitEventsMax, commitSizeMax } = store.limits
      const count = Math.min(commitEventsMax, Math.floor(commitSizeMax / 100))
      assert.equal((await grow(store, stream(), count)).count, count)
    },
    'a commit of as many characters as allowed is stored and read back': async ({ store, stream }) => {
      const id = stream()
      const text = 'x'.repeat(store.limits.commitSizeMax - 66)
      const largest = commitTo(id, { events: [{ type: 'Large', data: text }] })
      assert.equal(largest.size, store.limits.commitSizeMax)
      await store1(store, largest)
      assert.ok((await readWhole(store, id))[0]?.data === text)
    },
    'the store continues to work after a refusal': async ({ store, stream }) => {
      const id = stream()
      const tooMany = commitTo(id, { events: events(store.limits.commitEventsMax + 1) })
      await rejectsWith(store.append([tooMany]), 'COMMIT_TOO_LARGE')
      assert.equal((await grow(store, id, 1)).sequence, 1)
    },
    'a value that is not a checked commit is refused': async ({ store, stream }) => {
      const forged = JSON.parse(JSON.stringify(commitTo(stream()))) as Commit
      const head = await store.head()
      await rejectsWith(store.append([forged]), 'OPTION_INVALID')
      assert.equal(await store.head(), head)
    },
  },
}
