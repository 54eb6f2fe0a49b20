/** A store with something of everything, and all that it can be asked when somebody has changed what it holds. */
import assert from 'node:assert/strict'
import { type Commit, commit, type OfferedCommit } from '../../../src/store/commit.ts'
import { everything } from '../../../src/store/range.ts'
import type { Store, StoredEvent } from '../../../src/store/store.ts'
import { at } from '../../../src/testing/checkpoint-at.ts'
import { said } from './well-formed.ts'

export const stream = { aggregate: 'account', id: 'ada' }
const unlimited = { limit: Number.POSITIVE_INFINITY }
const commits = 8

/** Stores commits, rows with a checkpoint, a snapshot, a lease and a reservation. */
export async function fill(store: Store): Promise<void> {
  for (let n = 1; n <= commits; n++) {
    const events = [{ type: 'Deposited', data: { n, list: [1, 'a'] }, metadata: { by: 'me' }, tags: ['red', 'blue'] }]
    const command = { name: 'deposit', digest: n }
    await store.append([simpleCommit(`c${n}`, { events, recordedAt: n, ...(n % 2 === 0 && { command }) })])
  }
  const rows = [1, 2, 3].map((n) => ({ key: `row ${n}`, value: { n } }))
  await store.saveStep('p', { from: at(0), to: { position: 3, term: 0, note: { a: 1 } }, rows })
  const state = { stateRevision: 1, checksum: 5, fingerprint: 'f', takenAt: 0, state: { n: [1] } }
  await store.saveSnapshot({ stream, sequence: 3, ...state }, { keep: 1 })
  await store.acquireLease('l', 'other', 1000)
  await store.reserve([stream], 'other', 1000)
}

const simpleCommit = (id: string, offered: Partial<OfferedCommit> = {}): Commit =>
  commit({ stream, expected: 'any', recordedAt: 0, events: [{ type: 'Deposited', data: {} }], ...offered, id })

/** All that a store can be asked. Returns how many questions it refused. */
export async function askAll(store: Store): Promise<number> {
  const questions: readonly (() => Promise<unknown>)[] = [
    () => store.readAll(everything, unlimited),
    () => store.readAll(everything, { ...unlimited, direction: 'backward' }),
    () => store.readAll(everything, { ...unlimited, tags: ['red'] }),
    () => store.readAll(everything, { ...unlimited, types: ['Deposited'] }),
    () => store.readAll(everything, { limit: 2, types: ['Deposited'], tags: ['blue'] }),
    () => store.readStream(stream, everything),
    () => store.streamEnds([stream]),
    () => store.listStreams('account', unlimited),
    () => store.findCommit(stream, 'c2'),
    () => store.loadCheckpoint('p'),
    () => store.loadRows('p', ['row 1', 'row 2', 'row 3']),
    () => store.loadRowsWithCheckpoint('p', ['row 1', 'row 2']),
    () => store.listRows('p', unlimited),
    () => store.listRows('p', { ...unlimited, where: [{ field: 'n', oneOf: [1, 2] }] }),
    () => store.loadSnapshot(stream),
    () => store.head(),
    () => store.acquireLease('l', 'me', 1000),
    () => store.releaseLease('l', 'me'),
    () => store.reserve([stream], 'me', 1000),
    () => store.append([simpleCommit('c2'), simpleCommit('new')], { writer: 'other' }),
    () => store.append([simpleCommit('new2')], { writer: 'me' }),
    () => store.saveStep('p', { from: at(3), to: at(4), rows: [{ key: 'row 1', value: 1 }] }),
    async () =>
      store.transact?.('p', at(4), async (sql) => {
        await sql.query('SELECT 1')
        return { to: at(5), rows: [] }
      }),
    () => store.saveSnapshot({ stream, sequence: 4, ...newer }, { keep: 1 }),
    () => store.resetProjection('p'),
    () => store.readAll(everything, unlimited),
  ]
  let refused = 0
  for (const question of questions) if ((await said(question)) === undefined) refused++
  return refused
}

const newer = { stateRevision: 1, checksum: 5, fingerprint: 'f', takenAt: 0, state: {} }

/** The log and the stream as they are stored, or nothing of one that is refused. */
export interface Shown {
  readonly log: readonly StoredEvent[] | undefined
  readonly stream: readonly StoredEvent[] | undefined
}

export async function shownBy(store: Store): Promise<Shown> {
  const log = await said(() => store.readAll(everything, unlimited))
  const events = await said(() => store.readStream(stream, everything))
  return { log: log?.answer.events, stream: events?.answer }
}

/** What is shown after a damage is what was shown before, or is refused. @throws AssertionError */
export function checkShown(before: Shown, after: Shown): void {
  if (after.log !== undefined) assert.deepEqual(after.log, before.log)
  if (after.stream !== undefined) assert.deepEqual(after.stream, before.stream)
}
