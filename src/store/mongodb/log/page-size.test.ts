/**
 * The bounds of a page of the log: in bytes, and in what a statement examines. The first needs a server that bounds its
 * answers, as MongoDB does; FerretDB does not.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Document, MongoClient } from 'mongodb'
import {
  dropDatabase,
  freshDatabase,
  opening,
  openStore,
  simpleCommit,
} from '../../../../test/support/servers/mongodb-place.ts'
import { findMongodb } from '../../../../test/support/servers/mongodb-server.ts'
import { onServer, type TestServer } from '../../../../test/support/servers/server.ts'
import { expectBoundedPages } from '../../../testing/conformance/row-listing.ts'
import type { Page, ReadAllOptions, Store } from '../../store.ts'
import { mongodb } from '../index.ts'

const patient = { timeoutMs: 60_000 }
const streamOf = (i: number) => ({ aggregate: 'account', id: `a${i}` })

/** All pages of the log, each after the one before it. */
async function pagesOf(store: Store, options: ReadAllOptions): Promise<readonly Page[]> {
  const pages: Page[] = []
  const backward = options.direction === 'backward'
  for (let at = backward ? Number.POSITIVE_INFINITY : 0; ; ) {
    const page = await store.readAll(
      backward ? { from: 0, to: at } : { from: at + 1, to: Number.POSITIVE_INFINITY },
      options,
    )
    pages.push(page)
    if (page.isLast) return pages
    assert.ok(backward ? page.examined < at : page.examined > at, 'each page gets on')
    at = page.examined
  }
}

const positionsOf = (pages: readonly Page[]) => pages.flatMap(({ events }) => events.map(({ position }) => position))
const sizeOf = ({ events }: Page) => events.reduce((sum, { data }) => sum + JSON.stringify(data).length, 0)

function bySize(server: TestServer): void {
  test('a page of large commits ends before its limit, and the next one continues after it', async (context) => {
    const store = await openStore(context, server, patient)
    const text = 'x'.repeat(1_000_000)
    const count = 30
    for (let i = 0; i < count; i += 5) {
      const events = [{ type: 'Noted', data: text, tags: ['a', 'b'] }]
      await store.append([0, 1, 2, 3, 4].map((n) => simpleCommit(`c${i + n}`, { stream: streamOf(n), events })))
    }
    const all = Array.from({ length: count }, (_, i) => i + 1)
    for (const filters of [{}, { types: ['Noted'] }, { tags: ['a', 'b'] }]) {
      for (const direction of ['forward', 'backward'] as const) {
        const pages = await pagesOf(store, { ...filters, direction, limit: 1000 })
        assert.deepEqual(positionsOf(pages), direction === 'forward' ? all : all.toReversed())
        // What one answer of the server holds beyond the bound at most: 16 MiB.
        for (const page of pages) assert.ok(sizeOf(page) <= 8_000_000 + 17_000_000, `${sizeOf(page)} characters`)
        assert.ok(pages.length > 1)
      }
    }
    // A page of a stream still has everything that was asked for.
    assert.equal((await store.readStream(streamOf(1), { from: 0, to: 100 })).length, count / 5)
  })
}

function byRowSize(server: TestServer): void {
  test('a page of large rows ends before its limit', async (context) => {
    // What one answer of the server holds beyond the bound at most: 16 MiB.
    await expectBoundedPages(await openStore(context, server, patient), 8_000_000 + 17_000_000)
  })
}

/** A store on an observed client, with the ranges of positions that its statements examined. */
async function watch(context: TestContext, server: TestServer) {
  const database = freshDatabase()
  const client = new MongoClient(server.url, { monitorCommands: true })
  const store = await mongodb(client, { database, ...patient }).open(opening)
  context.after(async () => {
    await store.close()
    await client.close()
    await dropDatabase(server, database)
  })
  const widths: number[] = []
  client.on('commandStarted', ({ command }: { command: Document }) => {
    const { $gte, $lt } = command['filter']?._id ?? {}
    if (command['filter']?.tags !== undefined) widths.push(Number($lt) - Number($gte))
  })
  return { store, widths }
}

/** The number of commits with which a page ends before it has gone through all of them. */
const commitsCount = 92
const eventsCount = 10_000

function byStatement(server: TestServer): void {
  test('two common tags that are never on the same event are searched in bounded statements, and pages make progress', async (context) => {
    const { store, widths } = await watch(context, server)
    const eventsOf = (tag: string) => Array.from({ length: eventsCount }, () => ({ type: 'A', data: 0, tags: [tag] }))
    const [some, others] = [eventsOf('a'), eventsOf('b')]
    for (let i = 0; i < commitsCount; i += 4) {
      const batch = Array.from({ length: 4 }, (_, n) => i + n)
      await store.append(
        batch.map((n) => simpleCommit(`c${n}`, { stream: streamOf(n), events: n % 2 ? some : others })),
      )
    }
    await store.append([simpleCommit('both', { events: [{ type: 'A', data: 0, tags: ['a', 'b'] }] })])
    for (const direction of ['forward', 'backward'] as const) {
      widths.length = 0
      const pages = await pagesOf(store, { tags: ['a', 'b'], limit: 10, direction })
      assert.deepEqual(positionsOf(pages), [commitsCount * eventsCount + 1])
      assert.ok(pages.length > 1, `${pages.length} pages`)
      assert.ok(Math.max(...widths) <= 50_000 && widths.length > 20, `${widths}`)
    }
    const first = await store.readAll({ from: 1, to: Number.POSITIVE_INFINITY }, { tags: ['a', 'b'], limit: 1 })
    assert.deepEqual([first.events, first.isLast], [[], false])
    const { checksum, examined } = first
    const [there] = (await store.readAll({ from: examined, to: examined + 1 })).events
    assert.equal(checksum, there!.checksum)
  })
}

await onServer('The size of a page on MongoDB', findMongodb, (server) => {
  bySize(server)
  byRowSize(server)
  byStatement(server)
})
