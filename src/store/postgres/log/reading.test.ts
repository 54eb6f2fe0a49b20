/** Reading: with the indexes, filters find the same as a look at every event, and no statement reads a whole table. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Client } from 'pg'
import {
  dropSchema,
  freshSchema,
  openStore,
  simpleCommit,
  withClient,
} from '../../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { commit } from '../../commit.ts'
import { matches } from '../../page.ts'
import { everything } from '../../range.ts'
import type { ReadAllOptions, Store } from '../../store.ts'
import { arrayText, bigints, integers, texts } from '../database/binary-arrays.ts'
import { quoted } from '../database/tables.ts'
import { rowStatements } from '../rows/postgres-rows.ts'
import { listStatement, successorOf } from '../rows/row-list.ts'
import { eventStatements } from './event-statements.ts'
import { streamStatements } from './streams.ts'

const whole = { limit: Number.POSITIVE_INFINITY }

/** Numbers that look random, but are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

async function fill(store: Store, count: number): Promise<void> {
  const next = numbers(7)
  const tags = ['rare', 'some', 'often', 'most']
  const commits = Array.from({ length: count }, (_, i) => {
    const event = {
      type: next(50) === 0 ? 'Rare' : `Type${next(3)}`,
      data: { i },
      tags: tags.filter((_, level) => next(40) < [1, 5, 20, 35][level]!),
    }
    const stream = { aggregate: next(100) === 0 ? 'lonely' : `aggregate${next(2)}`, id: `${next(300)}` }
    return commit({ stream, expected: 'any', id: `c${i}`, recordedAt: i, events: [event] })
  })
  for (let i = 0; i < count; i += 1000) await store.append(commits.slice(i, i + 1000))
}

test('a prefix ends where the next text begins', () => {
  assert.equal(successorOf('ab'), 'ac')
  assert.equal(successorOf('a\ud7ff'), 'a\ue000')
  assert.equal(successorOf('a\u{10ffff}'), 'b')
  assert.equal(successorOf('\u{10ffff}'), undefined)
})

await onServer('Reading', findPostgres, (server) => {
  const open = async (context: TestContext) => {
    const schema = freshSchema()
    context.after(() => dropSchema(server, schema))
    return { schema, store: await openStore(context, server, { schema }) }
  }

  test('arrays in binary form arrive unchanged', async () => {
    const words = ['', 'a', '"', '\\', '{', 'NULL', 'ä 記 𝄞', ' ']
    const whole = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]
    const large = [...whole, 2 ** 32, -(2 ** 32) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]
    await withClient(server, async (client) => {
      const text = `SELECT $1::text[] = $2::text[] AS texts, array_to_json($3::integer[]) AS integers,
        array_to_json($4::bigint[])::text AS bigints, array_to_json($1::text[]) AS back, $5::text[] AS none`
      const values = [texts(words), arrayText(words), integers(whole), bigints(large), texts(['a', null])]
      const { rows } = await client.query(text, values)
      assert.deepEqual(rows, [
        { texts: true, integers: whole, bigints: `[${large.join(',')}]`, back: words, none: ['a', null] },
      ])
    })
  })

  test('filtered reads give the same as a look at every event, from any position, forward and backward', async (context) => {
    const { store } = await open(context)
    await fill(store, 5000)
    const { events } = await store.readAll(everything, whole)
    assert.equal(events.length, 5000)
    const next = numbers(11)
    const some = <Item>(items: readonly Item[]) => items.filter(() => next(3) === 0)
    for (let run = 0; run < 250; run++) {
      const from = next(5200)
      const to = next(4) === 0 ? Number.POSITIVE_INFINITY : from + next(5200)
      const limit = [1, 7, 100, 5000][next(4)]!
      const options: ReadAllOptions = {
        limit,
        direction: next(2) === 0 ? 'forward' : 'backward',
        ...(next(2) === 0 && { types: some(['Rare', 'Type0', 'Type1', 'Unknown']) }),
        ...(next(2) === 0 && { aggregates: some(['lonely', 'aggregate0', 'unknown']) }),
        ...(next(2) === 0 && { tags: some(['rare', 'some', 'often', 'most']) }),
      }
      const all = events.filter((event) => event.position >= from && event.position < to && matches(options, event))
      const expected = (options.direction === 'backward' ? all.reverse() : all).slice(0, limit)
      const page = await store.readAll({ from, to }, options)
      assert.deepEqual(page.events, expected, JSON.stringify({ from, to, options }))
    }
  })

  test('the cost of a page depends only on the page, even with a plan that was made when the table was empty', async (context) => {
    const { schema, store } = await open(context)
    await withClient(server, async (client) => {
      await client.query(`ALTER TABLE ${quoted(schema)}.events SET (autovacuum_enabled = false)`)
      const plans = await explained(client, 'analyze')
      if (plans === undefined) return context.skip('this server has no auto_explain')
      const { forward, backward } = eventStatements(quoted(schema))
      const own = { any: [], stream: ['account', 'ada'], near: ['{Noted}', null, null, 300] }
      const read = async () => {
        for (const search of ['any', 'stream', 'near'] as const) {
          const most = Number.MAX_SAFE_INTEGER
          await client.query(forward[search], [10_000, most, 100, 1_000_000, 0, ...own[search]])
          await client.query(backward[search], [1, 10_000, 100, 1_000_000, 0, ...own[search]])
        }
      }
      await read()
      const stream = { aggregate: 'account', id: 'ada' }
      const events = Array.from({ length: 1000 }, () => ({ type: 'Noted', data: {} }))
      for (let i = 0; i < 20; i++) await store.append([simpleCommit(`c${i}`, { stream, events })])
      plans.length = 0
      await read()
      assert.equal(plans.filter((plan) => plan.includes('events e')).length, 6)
      for (const plan of plans) {
        const most = Math.max(...Array.from(plan.matchAll(/actual [^)]*rows=(\d+)/g), ([, rows]) => Number(rows)))
        assert.ok(most <= 100, `looks at ${most} rows for a page of 100: ${plan}`)
      }
    })
  })

  test('pages end before they become too large, and no event is missing', async (context) => {
    const { store } = await open(context)
    const stream = { aggregate: 'account', id: 'ada' }
    const events = Array.from({ length: 12 }, (_, i) => ({ type: 'Noted', data: `${i} ${'x'.repeat(700_000)}` }))
    for (let i = 0; i < 12; i += 4) {
      await store.append([simpleCommit(`c${i}`, { stream, events: events.slice(i, i + 4) })])
    }
    for (const direction of ['forward', 'backward'] as const) {
      const expected = Array.from({ length: 12 }, (_, i) => (direction === 'forward' ? i + 1 : 12 - i))
      const read = await store.readStream(stream, everything, { direction })
      assert.deepEqual(
        read.map(({ sequence }) => sequence),
        expected,
      )
      for (const options of [{ direction }, { direction, types: ['Noted'] }]) {
        const page = await store.readAll(everything, options)
        assert.deepEqual(
          page.events.map(({ position }) => position),
          expected,
        )
        assert.deepEqual(
          page.events.map(({ data }) => Number.parseInt(data as string, 10)),
          expected.map((n) => n - 1),
        )
      }
    }
  })

  test('a long read ends when it is aborted, or when the store is closed', async (context) => {
    const { store } = await open(context)
    await fill(store, 5000)
    const controller = new AbortController()
    const read = store.readAll(everything, { ...whole, signal: controller.signal })
    controller.abort(new Error('enough'))
    await assert.rejects(read, /enough/)
    const refused = assert.rejects(store.readAll(everything, whole), { code: 'STORE_CLOSED' })
    await store.close()
    await refused
  })

  test('every statement finds its rows by an index, whatever is asked for', async (context) => {
    const { schema, store } = await open(context)
    const name = quoted(schema)
    await fill(store, 20_000)
    await withClient(server, async (client) => {
      await client.query(`SET mneme.writing = 'on';
        INSERT INTO ${name}.snapshots SELECT 'a', i::text, 1, 1, 1, 1, '', '{}' FROM generate_series(1, 5000) i;
        INSERT INTO ${name}.projections SELECT 'p' || i, 1, 0, '{}' FROM generate_series(1, 5000) i;
        INSERT INTO ${name}.projection_rows SELECT 'p' || i % 50, 'k' || i, '{"a":1}' FROM generate_series(1, 20000) i;
        INSERT INTO ${name}.leases SELECT 'l' || i, 'o', 1, 1 FROM generate_series(1, 5000) i`)
      for (const table of [
        'events',
        'event_tags',
        'streams',
        'kinds',
        'snapshots',
        'projections',
        'projection_rows',
        'leases',
      ]) {
        await client.query(`VACUUM ANALYZE ${name}.${table}`)
      }
      for (const [text, values] of statements(name)) await assertIndexed(client, text, values)
    })
  })

  test('every statement within the functions finds its rows by an index', async (context) => {
    const { schema, store } = await open(context)
    const name = quoted(schema)
    await fill(store, 3000)
    await withClient(server, async (client) => {
      const plans = await explained(client)
      if (plans === undefined) return context.skip('this server has no auto_explain')
      const select = rowStatements(name)
      // The tables were never counted. Even so, streams are listed along the index, and not sorted.
      const { list } = streamStatements(name)
      for (const after of ['', '5']) await client.query(list, ['aggregate0', after, 101])
      assert.equal(plans.filter((plan) => plan.includes('streams_by_id')).length, 2)
      for (const plan of plans) assert.doesNotMatch(plan, /Sort|Bitmap/, plan)
      for (const [text, values] of pages(name)) await client.query(text, [...values])
      await client.query(select.saveStep, [true, '1s', 'p', 0, 0, 1, 0, '{}', '{a,b}', ['{}', null], [null, null]])
      await client.query(select.resetProjection, [true, '1s', 'p'])
      await client.query(select.saveSnapshot, [true, '1s', 'a', 'i', 1, 1, 1, 1, '', '{}', 2])
      await client.query(select.acquireLease, [true, '1s', 'l', 'me', 1])
      const parameters = await batchParameters()
      await client.query(`SELECT ${name}.append_batch(${parameters.map((_, i) => `$${i + 1}`)})`, [...parameters])
      assert.ok(plans.length > 100, `${plans.length} plans`)
      // There are few kinds, so all of them are read.
      for (const plan of plans) assert.doesNotMatch(plan, /Seq Scan on (?!head|kinds)/, plan)
    })
  })
})

/** A batch whose commits are judged one by one: with a repetition, a conflict, a new stream, a new kind and tags. */
async function batchParameters(): Promise<readonly unknown[]> {
  const { Batch } = await import('./batch.ts')
  const events = [{ type: 'Brand new', data: {}, tags: ['a', 'b'] }]
  const stream = { aggregate: 'aggregate0', id: '1' }
  const commits = [
    simpleCommit('c1', { stream }),
    simpleCommit('x', { stream, expected: 99 }),
    simpleCommit('y', { events, stream: { aggregate: 'new', id: 'new' } }),
  ]
  const orders = { durable: true, lockWait: '1s', notifies: true, careful: false }
  return new Batch([commits], ['me'], 's').parameters(orders)
}

/** The plans of the statements within functions, in order, or `undefined` if the server cannot show them. */
async function explained(client: Client, analyze?: 'analyze'): Promise<string[] | undefined> {
  const plans: string[] = []
  client.on('notice', ({ message }) => {
    if (message?.includes('Query Text')) plans.push(message)
  })
  const loaded = await client.query("LOAD 'auto_explain'").then(
    () => true,
    () => false,
  )
  if (!loaded) return undefined
  await client.query(`SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
    SET auto_explain.log_analyze = ${analyze === undefined ? 'off' : 'on'}; SET client_min_messages = log`)
  return plans
}

async function assertIndexed(client: Client, text: string, values: readonly unknown[]): Promise<void> {
  const { rows } = await client.query(`EXPLAIN ${text}`, [...values])
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
  assert.doesNotMatch(plan, /Seq Scan/, `${text}\n${plan}`)
}

/** Every statement that reads pages, with values to look for. */
function pages(schema: string): readonly (readonly [text: string, values: readonly unknown[]])[] {
  const { forward, backward } = eventStatements(schema)
  const found: (readonly [string, readonly unknown[]])[] = []
  const filters: readonly (readonly [unknown, unknown])[] = [
    ['{Rare}', null],
    ['{Type0,Type1}', '{aggregate0}'],
  ]
  for (const calls of [forward, backward]) {
    for (const [from, to] of [
      [1, Number.MAX_SAFE_INTEGER],
      [2_000, Number.MAX_SAFE_INTEGER],
      [5, 300],
    ] as const) {
      for (const limit of [1, 2000]) {
        const start = [from, to, limit, 1_000_000, 5]
        found.push([calls.stream, [...start, 'aggregate0', '1']])
        found.push([calls.any, start])
        found.push([calls.tag, [...start, 'often']])
        for (const [types, aggregates] of filters) {
          found.push([calls.near, [...start, types, aggregates, null, 3000]])
          found.push([calls.near, [...start, types, aggregates, '{often}', 3000]])
          found.push([calls.kinds, [...start, types, aggregates]])
          found.push([calls.agreed, [...start, types, aggregates, '{often}']])
        }
      }
    }
  }
  return found
}

/** The other statements, with values to look for. */
function statements(schema: string): readonly (readonly [text: string, values: readonly unknown[]])[] {
  const { head, commit } = eventStatements(schema)
  const found: (readonly [string, readonly unknown[]])[] = [
    [head, []],
    [commit, ['a', 'i', 'c']],
  ]
  const documents = rowStatements(schema)
  found.push([documents.loadSnapshot, ['a', 'i', 5]])
  found.push([documents.loadCheckpoint, ['p7']])
  found.push([documents.loadRows, ['p7', '{k1,k2}']])
  found.push([documents.loadRowsWithCheckpoint, ['p7', '{k1,k2}']])
  found.push([documents.releaseLease, ['l', 'me']])
  const where = [
    { field: 'a', oneOf: ['x'] },
    { field: 'b', least: 1 },
  ]
  for (const given of [{}, { after: 'k3' }, { prefix: 'k1' }, { after: 'k3', prefix: 'k', where }]) {
    const { text, values } = listStatement(schema, 'p7', { ...given, limit: 100 })
    found.push([text, values])
  }
  return found
}
