/**
 * Asks a store everything when nobody knows what its data should be, because a checksum was forged. Each answer is
 * refused with a code, or has the form that the port promises: what comes out of the store could have been put in.
 */
import assert from 'node:assert/strict'
import { InputError, MnemeError } from '../../../src/domain/error.ts'
import type { StreamId } from '../../../src/domain/stream.ts'
import { commit } from '../../../src/store/commit.ts'
import { everything } from '../../../src/store/range.ts'
import type { Store, StoredEvent } from '../../../src/store/store.ts'

const unlimited = { limit: Number.POSITIVE_INFINITY }

/** What a store says: an answer, or the refusal with a code. Anything else is thrown. */
export async function said<Answer>(ask: () => Promise<Answer>): Promise<{ readonly answer: Answer } | undefined> {
  try {
    return { answer: await ask() }
  } catch (error) {
    if (error instanceof MnemeError) return undefined
    throw error
  }
}

/** The log that a store shows, or `undefined` if it refuses to show it whole. */
export async function checkLog(
  store: Store,
  streams: readonly StreamId[],
): Promise<readonly StoredEvent[] | undefined> {
  const read = await said(() => store.readAll(everything, unlimited))
  const head = await said(() => store.head())
  for (const stream of streams) {
    await said(() => store.readStream(stream, everything))
    await said(() => store.streamEnds([stream]))
    await said(() => store.findCommit(stream, 'c1'))
  }
  if (read === undefined) return undefined
  const { events } = read.answer
  assert.equal(head?.answer, events.length)
  const sequences = new Map<string, number>()
  for (const [i, event] of events.entries()) {
    checkEvent(event)
    assert.equal(event.position, i + 1)
    const stream = JSON.stringify(event.stream)
    const sequence = (sequences.get(stream) ?? 0) + 1
    assert.equal(event.sequence, sequence)
    sequences.set(stream, sequence)
  }
  for (const name of sequences.keys()) {
    const stream = JSON.parse(name) as StreamId
    const own = events.filter((event) => JSON.stringify(event.stream) === name)
    assert.deepEqual(await store.readStream(stream, everything), own)
    assert.equal((await store.streamEnds([stream]))[0]?.sequence, own.length)
    for (const { commitId } of own) assert.ok(await store.findCommit(stream, commitId), `${commitId} is not found`)
  }
  return events
}

/** Makes a commit of a stored event: what is no valid event is refused there. */
function checkEvent({
  stream,
  type,
  revision,
  data,
  metadata,
  tags,
  recordedAt,
  commitId,
  checksum,
}: StoredEvent): void {
  const events = [{ type, revision, data, metadata, tags }]
  const made = commit({ stream, expected: 'any', id: commitId, recordedAt: 0, events }).events[0]!
  assert.ok(Number.isFinite(recordedAt))
  const stored = { data: made.data, metadata: made.metadata, tags: made.tags }
  assert.equal(JSON.stringify({ data, metadata, tags }), JSON.stringify(stored))
  assert.ok(Number.isSafeInteger(checksum))
}

/** Loads what is stored beside the log, and gives it back to the store: the store itself says whether it is valid. */
export async function checkBeside(store: Store, projection: string, stream: StreamId): Promise<void> {
  const listed = await said(() => store.listRows(projection, unlimited))
  const at = await said(() => store.loadCheckpoint(projection))
  if (at !== undefined) {
    const { position, term, note } = at.answer
    const rows = listed?.answer.rows ?? []
    await givenBack(() => store.saveStep(projection, { from: { position, term }, to: { position, term, note }, rows }))
  }
  const snapshot = await said(() => store.loadSnapshot(stream))
  const kept = snapshot?.answer
  if (kept !== undefined) await givenBack(() => store.saveSnapshot(kept, { keep: 2 }))
  const lease = await said(() => store.acquireLease('l', 'me', 1000))
  assert.ok(lease === undefined || (typeof lease.answer.owner === 'string' && lease.answer.expiresAt > 0))
  await said(() => store.releaseLease('l', 'me'))
  await said(() => store.resetProjection(projection))
}

/** A store may refuse to write, but not because its own data is invalid. */
async function givenBack(call: () => Promise<unknown>): Promise<void> {
  await said(async () => {
    try {
      await call()
    } catch (error) {
      assert.ok(!(error instanceof InputError), `the store gave what it does not take: ${error}`)
      throw error
    }
  })
}
