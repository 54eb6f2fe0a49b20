/**
 * Documents that another program has changed or removed: reads report that with a code and the place, and return
 * nothing wrong.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Document, MongoClient } from 'mongodb'
import { openClient, openStore, simpleCommit } from '../../../test/support/servers/mongodb-place.ts'
import { findFerretdb, findMongodb } from '../../../test/support/servers/mongodb-server.ts'
import { onServer, type TestServer } from '../../../test/support/servers/server.ts'
import { hasCode } from '../../domain/error.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { everything } from '../range.ts'
import type { Page, Store } from '../store.ts'

const stream = { aggregate: 'account', id: 'ada' }
const other = { aggregate: 'account', id: 'bob' }
const corrupt = { code: 'STORE_CORRUPT' }

type Read = (store: Store) => Promise<unknown>

const reads: Readonly<Record<string, Read>> = {
  'the log': (store) => store.readAll(everything),
  'the log, backward': (store) => store.readAll(everything, { direction: 'backward' }),
  'the log by a type': (store) => store.readAll(everything, { types: ['Deposited'] }),
  'the log by a tag': (store) => store.readAll(everything, { tags: ['gift'] }),
  'the stream': (store) => store.readStream(stream, everything),
  'the stream, backward': (store) => store.readStream(stream, everything, { direction: 'backward' }),
  'the end of the stream': (store) => store.streamEnds([stream]),
  'the commit by its id': (store) => store.findCommit(stream, 'c3'),
}

/** Damages of the commit at positions 4 and 5, which is the last one of its stream. */
const damages: readonly Document[] = [
  { $set: { events: '[{"type":"Deposited","data":{"amount":9}},{"type":"Deposited","data":{"amount":9}}]' } },
  { $set: { events: '[{' } },
  { $set: { events: 7 } },
  { $unset: { events: '' } },
  { $set: { count: 1 } },
  { $set: { from: 9n } },
  { $set: { from: 'x' } },
  { $set: { id: 'eve' } },
  { $set: { commitId: 'c9' } },
  { $set: { recordedAt: 9n } },
  { $set: { types: ['Withdrawn'] } },
  { $set: { types: 'Deposited' } },
  { $set: { tags: ['lost'] } },
  { $unset: { checksum: '' } },
  { $set: { command: { name: 'withdraw', digest: 1n } } },
  { $set: { command: null, sum: null } },
  { $set: { number: 4n } },
]

interface Place {
  readonly database: string
  readonly client: MongoClient
  /** Opens a store that knows nothing of what another one has read. */
  open(): Promise<Store>
}

/** Five commits in two streams: positions 1, 2 and 3, 4 and 5, 6, 7. */
async function place(context: TestContext, server: TestServer): Promise<Place> {
  const store = await openStore(context, server)
  const client = await openClient(context, server)
  const events = [1, 2].map((amount) => ({ type: 'Deposited', data: { amount }, tags: ['gift'] }))
  await store.append([simpleCommit('c1', { stream: other }), simpleCommit('c2', { stream, events })])
  await store.append([simpleCommit('c3', { stream, events }), simpleCommit('c4', { stream: other })])
  await store.append([simpleCommit('c5', { stream: other, events: [{ type: 'Closed', data: null }] })])
  return { database: store.database, client, open: () => openStore(context, server, { database: store.database }) }
}

const commitsOf = ({ client, database }: Place) => client.db(database).collection<Document>('mneme_commits')

function damagedCommits(server: TestServer): void {
  test('a commit in which anything was changed is never returned as if it were undamaged', async (context) => {
    const own = await place(context, server)
    const before = new Map<string, unknown>()
    const fresh = await own.open()
    for (const [what, read] of Object.entries(reads)) before.set(what, await read(fresh))
    const whole = (await commitsOf(own).findOne({ _id: 4n as never }))!
    for (const damage of damages) {
      await commitsOf(own).updateOne({ _id: 4n as never }, damage)
      const store = await own.open()
      let refusals = 0
      for (const [what, read] of Object.entries(reads)) {
        const outcome = await read(store).catch((error: unknown) => error)
        if (hasCode(outcome, 'STORE_CORRUPT')) refusals++
        else if (!mayMiss(what, damage)) assert.deepEqual(outcome, before.get(what), `${what}, ${textOf(damage)}`)
        else for (const event of eventsIn(outcome)) assert.ok(textOf(before.get(what)).includes(textOf(event)), what)
      }
      assert.ok(refusals > 0)
      await commitsOf(own).replaceOne({ _id: 4n as never }, whole)
    }
  })

  test('a missing commit is noticed by reads of the log and of its stream, filtered or not', async (context) => {
    const own = await place(context, server)
    await commitsOf(own).deleteOne({ _id: 2n as never })
    const store = await own.open()
    for (const filters of [{}, { types: ['Closed'] }, { tags: ['none'] }, { aggregates: ['account'] }, { limit: 2 }]) {
      await assert.rejects(store.readAll(everything, filters), corrupt, JSON.stringify(filters))
    }
    await assert.rejects(store.readAll(everything, { direction: 'backward' }), corrupt)
    await assert.rejects(store.readStream(stream, everything), corrupt)
    await assert.rejects(store.readStream(stream, { from: 2, to: 9 }), corrupt)
    await assert.rejects(store.readStream(stream, everything, { direction: 'backward' }), corrupt)
    const page = await store.readAll({ from: 1, to: 2 })
    assert.deepEqual([page.events.length, page.examined], [1, 1])
    assert.deepEqual(
      (await store.readAll({ from: 4, to: 8 })).events.map(({ position }) => position),
      [4, 5, 6, 7],
    )
  })

  test('a missing commit is noticed by a reader that continues after it', async (context) => {
    const own = await place(context, server)
    const reader = await own.open()
    const { examined, checksum } = await reader.readAll({ from: 1, to: 4 })
    await commitsOf(own).deleteOne({ _id: 4n as never })
    const behind = { position: examined, checksum }
    await assert.rejects(reader.readAll({ from: 4, to: 9 }, { behind }), corrupt)
    await assert.rejects(reader.readAll({ from: 4, to: 9 }, { behind, types: ['Closed'] }), corrupt)
  })
}

/** The events of an answer. Other answers, such as the end of a stream, have none. */
function eventsIn(answer: unknown): readonly unknown[] {
  assert.ok(!(answer instanceof Error), `${answer}`)
  const listed = (answer as Page | undefined)?.events ?? answer
  return Array.isArray(listed) ? listed.filter((each) => 'data' in each) : []
}

const textOf = (value: unknown): string =>
  JSON.stringify(value ?? null, (_, each) => (typeof each === 'bigint' ? Number(each) : each))

/**
 * A question that searches by the changed field does not find the commit. Its answer is then different, but nothing in
 * it is wrong.
 */
function mayMiss(what: string, damage: Document): boolean {
  const changed = Object.keys(damage['$set'] ?? {})
  if (what === 'the commit by its id') return changed.includes('commitId') || changed.includes('id')
  if (what === 'the log by a type') return changed.includes('types')
  if (what === 'the log by a tag') return changed.includes('tags')
  return what.includes('the stream') && (changed.includes('id') || changed.includes('from'))
}

function damagedDocuments(server: TestServer): void {
  test('a damaged checkpoint, row, snapshot or lease is reported with a code', async (context) => {
    const { database, client, open } = await place(context, server)
    const store = await open()
    const db = client.db(database)
    const value = { of: 'a' }
    await store.saveStep('p', { from: at(0), to: at(3, 1), rows: [{ key: 'a', value }] })
    const snapshot = { stream, sequence: 3, stateRevision: 1, checksum: 7, fingerprint: 'f', state: value, takenAt: 5 }
    await store.saveSnapshot(snapshot, { keep: 1 })
    await store.acquireLease('l', 'a', 60_000)
    const damagesOf: Readonly<Record<string, readonly [readonly Document[], Read]>> = {
      mneme_projections: [
        [{ checkpoint: 'x' }, { term: null }, { note: '{' }, { note: 5 }, { step: 1.5 }, { pending: { rows: [5] } }],
        () => store.loadCheckpoint('p'),
      ],
      mneme_rows: [
        [{ value: '{' }, { value: 5 }, { at: 'x' }],
        async () => [await store.loadRows('p', ['a']), (await store.listRows('p', { limit: 5 })).rows],
      ],
      mneme_snapshots: [
        [
          { state: '{' },
          { state: null },
          { checksum: 'x' },
          { fingerprint: 5 },
          { takenAt: 'x' },
          { stateRevision: 'x' },
        ],
        () => store.loadSnapshot(stream),
      ],
      mneme_leases: [[{ owner: 5 }, { expiresAt: 'x' }, { takenAt: 'x' }], () => store.acquireLease('l', 'b', 1000)],
    }
    for (const [name, [changes, read]] of Object.entries(damagesOf)) {
      const documents = db.collection<Document>(name)
      const whole = (await documents.findOne(name === 'mneme_leases' ? { _id: 'l' as never } : {}))!
      for (const change of changes) {
        await documents.updateOne({ _id: whole['_id'] }, { $set: change })
        await assert.rejects(read(store), corrupt, `${name} ${JSON.stringify(change)}`)
        await documents.replaceOne({ _id: whole['_id'] }, whole)
      }
      await read(store)
    }
  })

  test('a store whose log was replaced by an older copy reads and writes that copy', async (context) => {
    const own = await place(context, server)
    const store = await own.open()
    await store.readStream(stream, everything)
    const { checksum } = await store.readAll(everything)
    await commitsOf(own).deleteMany({ _id: { $gte: 4n as never } })
    // As after a restore: what this store knows of the end of the log and of streams is wrong.
    assert.deepEqual(
      (await store.streamEnds([stream, other])).map(({ sequence }) => sequence),
      [2, 1],
    )
    await assert.rejects(store.readAll(everything, { behind: { position: 7, checksum } }), { code: 'LOG_REPLACED' })
    const [stored] = await store.append([simpleCommit('new', { stream })])
    assert.deepEqual(stored?.status === 'stored' && [stored.sequence, stored.position], [3, 4])
    assert.equal((await store.readAll(everything)).events.length, 4)
  })
}

for (const [name, find] of [
  ['MongoDB', findMongodb],
  ['FerretDB', findFerretdb],
] as const) {
  await onServer(`Damage on ${name}`, find, (server) => {
    damagedCommits(server)
    damagedDocuments(server)
  })
}
