/**
 * Group commit: commits that wait together are written together, within bounds, in order. A failure of a batch goes to
 * all its callers.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as settled } from 'node:timers/promises'
import { type Commit, commit } from './commit.ts'
import { CommitQueue, type CommitQueueLimits } from './commit-queue.ts'
import type { AppendResult } from './store.ts'

const limits: CommitQueueLimits = { batchCommitsMax: 100, batchSizeMax: 1_000_000, waitingMax: 1000 }

let made = 0
const one = (text = ''): Commit =>
  commit({
    stream: { aggregate: 'a', id: 'b' },
    expected: 'any',
    id: `c${++made}`,
    recordedAt: 0,
    events: [{ type: 'T', data: text }],
  })

/** A store that writes when a test says so: each batch waits for its answer. */
class HeldWriter {
  readonly batches: (readonly Commit[])[] = []
  readonly #pending: { readonly answer: () => void; readonly fail: (error: Error) => void }[] = []
  #arrived = Promise.withResolvers<void>()
  #stored = 0

  readonly write = (groups: readonly (readonly Commit[])[]): Promise<readonly AppendResult[]> => {
    const commits = groups.flat()
    this.batches.push(commits)
    const { promise, resolve, reject } = Promise.withResolvers<readonly AppendResult[]>()
    const results = commits.map(() => {
      const sequence = ++this.#stored
      return { status: 'stored', sequence, position: sequence, count: 1, checksum: 0 } as const
    })
    this.#pending.push({ answer: () => resolve(results), fail: reject })
    this.#arrived.resolve()
    return promise
  }

  /** The batch that is being written, once there is one. */
  async next(): Promise<{ readonly answer: () => void; readonly fail: (error: Error) => void }> {
    while (this.#pending.length === 0) {
      this.#arrived = Promise.withResolvers<void>()
      await this.#arrived.promise
    }
    return this.#pending.shift()!
  }
}

const sizes = ({ batches }: HeldWriter) => batches.map(({ length }) => length)

test('a single commit is written at once', async () => {
  const writer = new HeldWriter()
  const appended = new CommitQueue(writer.write, limits).append([one()])
  ;(await writer.next()).answer()
  assert.deepEqual(await appended, [{ status: 'stored', sequence: 1, position: 1, count: 1, checksum: 0 }])
})

test('each caller goes with its writer', async () => {
  const seen: unknown[] = []
  const writer = new HeldWriter()
  const queue = new CommitQueue((groups, writers) => {
    seen.push(writers)
    return writer.write(groups)
  }, limits)
  const appended = Promise.all([queue.append([one()], { writer: 'a' }), queue.append([one()]), queue.append([], {})])
  ;(await writer.next()).answer()
  await appended
  assert.deepEqual(seen, [['a', undefined, undefined]])
})

test('commits of the same turn are written as one batch', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, limits)
  const appended = Promise.all([queue.append([one()]), queue.append([one()]), queue.append([one()])])
  ;(await writer.next()).answer()
  await appended
  assert.deepEqual(sizes(writer), [3])
})

test('commits that come while a batch is written are the next batch together', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, limits)
  const first = queue.append([one()])
  const held = await writer.next()
  const rest = Promise.all(Array.from({ length: 20 }, () => queue.append([one()])))
  held.answer()
  await first
  ;(await writer.next()).answer()
  await rest
  assert.deepEqual(sizes(writer), [1, 20])
})

test('each caller gets the results of its own commits, in order', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, limits)
  const appended = Promise.all([queue.append([one(), one()]), queue.append([one()]), queue.append([one(), one()])])
  ;(await writer.next()).answer()
  assert.deepEqual(
    (await appended).map((results) => results.map(({ sequence }) => sequence)),
    [[1, 2], [3], [4, 5]],
  )
})

test('commits are written in the order they came, and a caller’s stay together', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, { ...limits, batchCommitsMax: 3 })
  const commits = Array.from({ length: 8 }, () => one())
  const appended = Promise.all([
    queue.append(commits.slice(0, 2)),
    queue.append(commits.slice(2, 4)),
    queue.append(commits.slice(4, 5)),
    queue.append(commits.slice(5, 8)),
  ])
  for (let batch = 0; batch < 3; batch++) (await writer.next()).answer()
  await appended
  assert.deepEqual(writer.batches.flat(), commits)
  assert.deepEqual(sizes(writer), [2, 3, 3])
})

test('a batch has no more commits than its bound', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, { ...limits, batchCommitsMax: 4 })
  const appended = Promise.all(Array.from({ length: 10 }, () => queue.append([one()])))
  for (let batch = 0; batch < 3; batch++) (await writer.next()).answer()
  await appended
  assert.deepEqual(sizes(writer), [4, 4, 2])
})

test('a queue that is held writes only full batches, and the rest when it goes on', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, { ...limits, batchCommitsMax: 3 })
  queue.hold()
  const first = queue.append([one()])
  await settled()
  assert.deepEqual(sizes(writer), [])
  const rest = Promise.all(Array.from({ length: 4 }, () => queue.append([one()])))
  ;(await writer.next()).answer()
  await first
  await settled()
  assert.deepEqual(sizes(writer), [3])
  queue.goOn()
  ;(await writer.next()).answer()
  await rest
  assert.deepEqual(sizes(writer), [3, 2])
})

test('what comes while a batch is written waits for a queue that is held meanwhile', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, limits)
  const first = queue.append([one()])
  const held = await writer.next()
  queue.hold()
  const second = queue.append([one()])
  held.answer()
  await first
  await settled()
  const third = queue.append([one()])
  assert.deepEqual(sizes(writer), [1])
  queue.goOn()
  ;(await writer.next()).answer()
  await Promise.all([second, third])
  assert.deepEqual(sizes(writer), [1, 2])
})

test('a batch is no larger than its bound', async () => {
  const writer = new HeldWriter()
  const { size } = one('x'.repeat(1000))
  const queue = new CommitQueue(writer.write, { ...limits, batchSizeMax: 2 * size })
  const appended = Promise.all(Array.from({ length: 5 }, () => queue.append([one('x'.repeat(1000))])))
  for (let batch = 0; batch < 3; batch++) (await writer.next()).answer()
  await appended
  assert.deepEqual(sizes(writer), [2, 2, 1])
})

test('commits of one caller beyond the bounds of a batch are still written, without others', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, { ...limits, batchCommitsMax: 2, batchSizeMax: 10 })
  const appended = Promise.all([queue.append([one(), one(), one()]), queue.append([one()])])
  for (let batch = 0; batch < 2; batch++) (await writer.next()).answer()
  await appended
  assert.deepEqual(sizes(writer), [3, 1])
})

test('a caller over the bound of waiting commits is refused at once, and the others are answered', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, { ...limits, waitingMax: 3 })
  const first = queue.append([one()])
  const held = await writer.next()
  const waiting = Promise.all([queue.append([one()]), queue.append([one(), one()])])
  await assert.rejects(queue.append([one()]), { code: 'OVERLOADED', facts: { queue: 'waitingMax', sizeMax: 3 } })
  held.answer()
  await first
  ;(await writer.next()).answer()
  await waiting
  const after = queue.append([one()])
  ;(await writer.next()).answer()
  assert.equal((await after)[0]?.status, 'stored')
})

test('more commits of one caller than may wait are accepted if no other caller waits', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, { ...limits, waitingMax: 2 })
  const appended = queue.append([one(), one(), one()])
  ;(await writer.next()).answer()
  assert.equal((await appended).length, 3)
})

test('a batch that fails fails all its callers and no others', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, limits)
  const failing = Promise.allSettled([queue.append([one()]), queue.append([one()])])
  const held = await writer.next()
  const next = queue.append([one()])
  const error = new Error('disk')
  held.fail(error)
  for (const outcome of await failing) assert.equal(outcome.status === 'rejected' && outcome.reason, error)
  ;(await writer.next()).answer()
  assert.equal((await next)[0]?.status, 'stored')
})

test('a writer that throws at once fails its batch, and the queue continues', async () => {
  let calls = 0
  const queue = new CommitQueue(() => {
    calls++
    throw new Error('closed')
  }, limits)
  await assert.rejects(queue.append([one()]), { message: 'closed' })
  await assert.rejects(queue.append([one()]), { message: 'closed' })
  assert.equal(calls, 2)
})

test('one batch is written at a time', async () => {
  const writer = new HeldWriter()
  const queue = new CommitQueue(writer.write, limits)
  const first = queue.append([one()])
  const held = await writer.next()
  const second = queue.append([one()])
  await Promise.resolve()
  assert.deepEqual(sizes(writer), [1])
  held.answer()
  await first
  ;(await writer.next()).answer()
  await second
  assert.deepEqual(sizes(writer), [1, 1])
})

test('an append of no commits is answered with no results', async () => {
  const writer = new HeldWriter()
  const appended = new CommitQueue(writer.write, limits).append([])
  ;(await writer.next()).answer()
  assert.deepEqual(await appended, [])
})
