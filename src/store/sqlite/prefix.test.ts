/** Names of tables: a store may share a file with other tables and other stores, and changes only its own tables. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { at } from '../../testing/checkpoint-at.ts'
import { everything } from '../range.ts'
import { sqlite } from './index.ts'
import { done, freshPath, openStore, simpleCommit, withDatabase } from './sqlite-test.fixture.ts'

const opening = { warn: () => {}, now: () => 0 }
const stream = { aggregate: 'account', id: 'ada' }

test('A store that may make no tables leaves a file as it is, and makes none', async (context) => {
  const path = await freshPath(context)
  const open = (prefix = '') => sqlite(path, { prefix, migrate: false }).open(opening)
  await assert.rejects(open(), { code: 'STORE_NOT_MIGRATED' })
  assert.equal(existsSync(path), false)
  await withDatabase(path, (database) => database.exec('CREATE TABLE parties (what TEXT)'))
  const before = await readFile(path)
  await assert.rejects(open(), { code: 'STORE_NOT_MIGRATED' })
  assert.deepEqual(await readFile(path), before)
  await (await sqlite(path).open(opening)).close()
  await (await open()).close()
  await assert.rejects(open('other_'), { code: 'STORE_NOT_MIGRATED' })
})

describe('A prefix', () => {
  test('lets two stores and tables of the same names live in one file', async (context) => {
    const path = await freshPath(context)
    await withDatabase(path, (database) =>
      database.exec(
        "CREATE TABLE events (what TEXT); INSERT INTO events VALUES ('a party'); CREATE TABLE meta (n INTEGER)",
      ),
    )
    const one = await openStore(context, path, { prefix: 'one_' })
    const two = await openStore(context, path, { prefix: 'two_' })
    await one.append([simpleCommit('first', { events: [{ type: 'Opened', data: {}, tags: ['new'] }] })])
    await two.append([simpleCommit('second'), simpleCommit('third')])
    for (const [store, ids] of [
      [one, ['first']],
      [two, ['second', 'third']],
    ] as const) {
      const commitIds = (events: readonly { readonly commitId: string }[]) => events.map(({ commitId }) => commitId)
      assert.deepEqual(commitIds(await store.readStream(stream, everything)), ids)
      assert.deepEqual(commitIds((await store.readAll(everything, { aggregates: ['account'] })).events), ids)
      assert.equal(await store.head(), ids.length)
    }
    assert.equal((await one.readAll(everything, { tags: ['new'] })).events.length, 1)
    assert.equal((await two.findCommit(stream, 'third'))!.position, 2)
    const found = await withDatabase(path, (database) => database.prepare('SELECT what FROM events').all())
    assert.deepEqual({ ...found[0] }, { what: 'a party' })
  })

  test('keeps snapshots, rows, checkpoints and leases of two stores apart', async (context) => {
    const path = await freshPath(context)
    const stores = [await openStore(context, path), await openStore(context, path, { prefix: 'two_' })]
    const values = [1, 2]
    for (const [i, store] of stores.entries()) {
      const value = values[i]!
      await store.saveSnapshot(
        { stream, sequence: value, stateRevision: 1, checksum: 1, fingerprint: 'f', state: value, takenAt: 0 },
        { keep: 1 },
      )
      await store.saveStep('balances', { from: at(0), to: at(value), rows: [{ key: 'ada', value }] })
      assert.equal((await store.acquireLease('balances', `owner ${value}`, 1000)).owner, `owner ${value}`)
    }
    for (const [i, store] of stores.entries()) {
      const value = values[i]!
      assert.equal((await store.loadSnapshot(stream))!.state, value)
      assert.deepEqual(await store.loadCheckpoint('balances'), at(value))
      assert.deepEqual(await store.loadRows('balances', ['ada']), [value])
      assert.deepEqual((await store.listRows('balances', { limit: 9, where: [{ field: 'x', oneOf: [1] }] })).rows, [])
      assert.equal((await store.listRows('balances', { limit: 9 })).rows.length, 1)
    }
    await stores[0]!.resetProjection('balances')
    assert.deepEqual(await stores[1]!.loadCheckpoint('balances'), at(2))
  })

  test('protects the tables of both stores in a transaction', async (context) => {
    const path = await freshPath(context)
    const store = await openStore(context, path, { prefix: 'one_' })
    const running = (text: string) =>
      store.transact!('p', at(0), async (sql) => {
        await sql.query(text)
        return done
      })
    await assert.rejects(running('DROP TABLE one_leases'), { code: 'SQL_FAILED' })
    await assert.rejects(running("INSERT INTO one_leases VALUES ('a', 'b', 1)"), { code: 'SQL_FAILED' })
    await running('CREATE TABLE leases (what TEXT)')
    await running("INSERT INTO leases VALUES ('a flat')")
  })

  test('is refused if a name cannot begin with it', async (context) => {
    const path = await freshPath(context)
    for (const prefix of ['1st', 'a-b', "x'", 'Shop_', 'sqlite_', 'é', 'a'.repeat(51), 7 as never]) {
      assert.throws(() => sqlite(path, { prefix }), { code: 'OPTION_INVALID' }, String(prefix))
    }
  })
})

describe('A file with tables of others', () => {
  for (const [what, ddl] of Object.entries({
    'a table of a name of the store': 'CREATE TABLE events (what TEXT)',
    'such a table in other letters': 'CREATE TABLE Events (what TEXT)',
    'an index of a name of the store': 'CREATE TABLE people (n INTEGER); CREATE INDEX events_by_kind ON people (n)',
    'a table of versions of its own': 'CREATE TABLE meta (key TEXT, text TEXT); CREATE TABLE leases (flat TEXT)',
    'an empty table of versions that looks alike': 'CREATE TABLE meta (name TEXT, value TEXT)',
  })) {
    test(`is not changed, and the error says so: ${what}`, async (context) => {
      const path = await freshPath(context)
      await withDatabase(path, (database) => database.exec(ddl))
      const schema = () => withDatabase(path, (database) => database.prepare('SELECT sql FROM sqlite_schema').all())
      const before = await schema()
      await assert.rejects(sqlite(path).open(opening), (error: Error & { code?: string; retryable?: boolean }) => {
        assert.equal(error.code, 'STORE_NAMES_TAKEN')
        assert.equal(error.retryable, false)
        assert.match(error.message, /events|leases|meta/)
        assert.match(error.message, /`prefix`/)
        assert.doesNotMatch(error.message, /backup/)
        return true
      })
      assert.deepEqual(await schema(), before)
      await openStore(context, path, { prefix: 'mneme_' })
    })
  }

  test('is used if no name is taken', async (context) => {
    const path = await freshPath(context)
    await withDatabase(path, (database) => database.exec('CREATE TABLE people (name TEXT)'))
    const store = await openStore(context, path)
    await store.append([simpleCommit('c')])
    assert.equal(await store.head(), 1)
  })
})
