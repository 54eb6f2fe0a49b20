/**
 * Bounds: how much a statement looks at, how large a page is, and what happens to statements that are no longer
 * awaited.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { Client } from 'pg'
import { longEnough } from '../../../../test/support/long-enough.ts'
import {
  dropSchema,
  freshSchema,
  openStore,
  simpleCommit,
  withClient,
} from '../../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { leftOut, sized } from '../../../../test/support/size.ts'
import { until } from '../../../../test/support/until.ts'
import { expectBoundedPages, expectFoundFarBehind } from '../../../testing/conformance/row-listing.ts'
import { everything } from '../../range.ts'
import type { LogPlace, ReadAllOptions, Store } from '../../store.ts'
import { postgres } from '../index.ts'
import { eventStatements } from '../log/event-statements.ts'
import { quoted } from './tables.ts'

const stream = { aggregate: 'account', id: 'ada' }

/** Reads a log from end to end, page by page. */
async function pagesOf(store: Store, options: ReadAllOptions) {
  const pages: { readonly events: number; readonly examined: number }[] = []
  const positions: number[] = []
  let behind: LogPlace = { position: 0 }
  for (;;) {
    const range = { from: behind.position + 1, to: Number.POSITIVE_INFINITY }
    const { events, examined, checksum, isLast } = await store.readAll(range, { ...options, behind })
    pages.push({ events: events.length, examined })
    positions.push(...events.map(({ position }) => position))
    if (isLast) return { pages, positions }
    assert.ok(examined > behind.position, `page ${pages.length} does not go on behind ${examined}`)
    behind = { position: examined, checksum }
  }
}

await onServer('Bounds', findPostgres, (server) => {
  const open = async (context: TestContext, options = {}) => {
    const schema = freshSchema()
    context.after(() => dropSchema(server, schema))
    return { schema, store: await openStore(context, server, { schema, listen: false, ...options }) }
  }
  /** Events with a lot of text that cannot be compressed, one for each commit. */
  const appendLarge = async (store: Store, count: number, bytes: number) => {
    for (let i = 1; i <= count; i++) {
      const events = [{ type: 'Noted', data: randomBytes(bytes / 2).toString('hex') }]
      await store.append([simpleCommit(`c${i}`, { stream, events })])
    }
  }

  test('a page of large rows ends before its limit', async (context) => {
    const { store } = await open(context)
    await expectBoundedPages(store, 10_000_000)
  })

  test('a page ends when it has looked at many rows', async (context) => {
    const { store } = await open(context)
    await expectFoundFarBehind(store)
  })

  test('large events are fetched once, not again for each page before theirs', { skip: leftOut }, async (context) => {
    const { schema, store } = await open(context)
    const large = 30
    await appendLarge(store, large, 1_000_000)
    await store.close()
    const application = `reader_${process.pid}`
    const fetched = (client: Client) =>
      client
        .query<{ blocks: string }>(
          `SELECT toast_blks_hit + toast_blks_read AS blocks FROM pg_statio_all_tables
            WHERE schemaname = $1 AND relname = 'events'`,
          [schema],
        )
        .then(({ rows }) => Number(rows[0]!.blocks))
    const blocks = await withClient(server, (client) =>
      client
        .query<{ size: string }>(
          `SELECT pg_relation_size(reltoastrelid) / 8192 AS size FROM pg_class WHERE oid = '${quoted(schema)}.events'::regclass`,
        )
        .then(({ rows }) => Number(rows[0]!.size)),
    )
    for (const [read, count] of [
      [(reader: Store) => reader.readStream(stream, everything, { limit: large }).then(({ length }) => length), large],
      [(reader: Store) => pagesOf(reader, { limit: large }).then(({ positions }) => positions.length), large],
      [(reader: Store) => pagesOf(reader, { types: ['Noted'] }).then(({ positions }) => positions.length), large],
    ] as const) {
      const before = await withClient(server, fetched)
      const url = new URL(server.url)
      url.searchParams.set('application_name', application)
      const reader = await postgres(url.href, { schema, listen: false }).open({ warn: () => {}, now: () => 0 })
      assert.equal(await read(reader), count)
      await reader.close()
      // The statistics of a session are complete when it has ended.
      await withClient(server, async (client) => {
        const sessions = 'SELECT FROM pg_stat_activity WHERE application_name = $1'
        await until(async () => (await client.query(sessions, [application])).rows.length === 0)
        await until(async () => (await fetched(client)) > before)
      })
      const looked = (await withClient(server, fetched)) - before
      assert.ok(looked < 2 * blocks, `${looked} blocks were looked at for ${blocks} blocks of data: ${read}`)
    }
  })

  test('a page of the log ends when it is large, also with filters, and says that it is not the last', async (context) => {
    const { store } = await open(context)
    const large = sized(40, 25)
    await appendLarge(store, large, 1_000_000)
    for (const options of [{}, { types: ['Noted'] }, { limit: sized(25, 20) }]) {
      const { pages, positions } = await pagesOf(store, options)
      assert.deepEqual(
        positions,
        Array.from({ length: large }, (_, i) => i + 1),
      )
      for (const { events } of pages) assert.ok(events <= 18, `${events} events of 1 MB in one page`)
    }
    const backward = await store.readAll(everything, { direction: 'backward' })
    assert.equal(backward.isLast, false)
    assert.equal(backward.examined, backward.events.at(-1)?.position)
    assert.equal((await store.readStream(stream, everything, { limit: large })).length, large)
  })

  /** Events with two tags in turn. They are made by SQL, because no test reads them. */
  const fillTurns = (schema: string, count: number) =>
    withClient(server, async (client) => {
      const name = quoted(schema)
      await client.query(`SET session_replication_role = replica;
        INSERT INTO ${name}.kinds (aggregate, type) VALUES ('account', 'Noted');
        INSERT INTO ${name}.streams (aggregate, id) VALUES ('account', 'ada');
        INSERT INTO ${name}.events SELECT i, s.number, i, 0, 1, NULL, k.number, 9, i, 1, 1, i::text, NULL, '{}', NULL,
          ARRAY[CASE i % 2 WHEN 0 THEN 'even' ELSE 'odd' END]
          FROM ${name}.streams s, ${name}.kinds k, generate_series(1, ${count}) i;
        INSERT INTO ${name}.event_tags SELECT CASE i % 2 WHEN 0 THEN 'even' ELSE 'odd' END, i FROM generate_series(1, ${count}) i;
        ANALYZE ${name}.events; ANALYZE ${name}.event_tags`)
    })
  const both = [{ type: 'Noted', data: {}, tags: ['odd', 'even'] }]

  test('a statement that searches for common events of tags ends after a number of looks, and says how far it is', async (context) => {
    const { schema } = await open(context)
    await fillTurns(schema, 60_000)
    await withClient(server, async (client) => {
      const { forward, backward } = eventStatements(quoted(schema))
      for (const [call, from, to] of [
        [forward.agreed, 1, 60_001],
        [backward.agreed, 1, 60_001],
      ] as const) {
        const values = [from, to, 100, 1_000_000, 0, null, null, '{odd,even}']
        const { rows } = await client.query(call, values)
        const next = Number(rows[0].page_next)
        const looked = call === forward.agreed ? next - from : to - 1 - next
        assert.ok(looked > 1000 && looked <= 10_000, `${looked} places`)
      }
    })
  })

  const rarely =
    'tags that are rarely on the same event are searched page by page, and each page continues where the last one ended'
  test(rarely, { skip: leftOut }, async (context) => {
    const { schema, store } = await open(context)
    const count = 230_000
    await fillTurns(schema, count)
    await store.append([simpleCommit('both', { stream, events: both })])
    const { pages, positions } = await pagesOf(store, { tags: ['odd', 'even'] })
    assert.deepEqual(positions, [count + 1])
    assert.ok(pages.length > 1, 'one page looks at a part of the log only')
  })

  test('many kinds are searched in a bounded number of places at a time, and all events are found in order', async (context) => {
    const { store } = await open(context)
    const events = Array.from({ length: 300 }, (_, i) => ({ type: `Type ${i}`, data: i }))
    for (let i = 0; i < 20; i++) await store.append([simpleCommit(`c${i}`, { stream, events })])
    const types = events.map(({ type }) => type).filter((_, i) => i % 3 === 0)
    const { positions } = await pagesOf(store, { types, limit: 1500 })
    assert.equal(positions.length, 2000)
    assert.deepEqual(
      positions,
      positions.toSorted((a, b) => a - b),
    )
  })

  test('a statement that is no longer awaited is cancelled', async (context) => {
    await longEnough(2000, async (timeoutMs) => {
      const { schema } = await open(context)
      const store = await openStore(context, server, { schema, listen: false, timeoutMs })
      await withClient(server, async (holder) => {
        await holder.query(`BEGIN; LOCK TABLE ${quoted(schema)}.events IN ACCESS EXCLUSIVE MODE`)
        await assert.rejects(store.head(), { code: 'STORE_UNAVAILABLE', message: /no answer within/ })
        const text = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'`
        // On another connection, because within a transaction the view of activity does not change.
        await withClient(server, (client) =>
          until(async () => (await client.query(text, [quoted(schema)])).rows.length === 0),
        )
        await holder.query('ROLLBACK')
      })
      assert.equal(await store.head(), 0)
    })
  })
})
