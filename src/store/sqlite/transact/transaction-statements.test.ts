/** Statements of a transaction: their values, what is refused, and that the tables of the store stay as they are. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at } from '../../../testing/checkpoint-at.ts'
import type { SqlValue } from '../../store.ts'
import { schemaIn } from '../database/schema.ts'
import { done, openTransactions, simpleCommit, withDatabase } from '../sqlite-test.fixture.ts'

const failed = (message: RegExp) => ({ name: 'StoreError', code: 'SQL_FAILED', message })

test('values are bound with their types, and come back as SQLite stores them', async (context) => {
  const { inTransaction } = await openTransactions(context)
  const bytes = new Uint8Array([0, 1, 255])
  const cases: readonly (readonly [SqlValue, string, SqlValue])[] = [
    ['text', 'text', 'text'],
    ['', 'text', ''],
    ['日本 😀 "quoted" \'\\', 'text', '日本 😀 "quoted" \'\\'],
    [5, 'integer', 5],
    [-0, 'integer', 0],
    [2 ** 53 - 1, 'integer', 2 ** 53 - 1],
    [1.5, 'real', 1.5],
    [1e300, 'real', 1e300],
    [2 ** 53, 'real', 2 ** 53],
    [Number.POSITIVE_INFINITY, 'real', Number.POSITIVE_INFINITY],
    [7n, 'integer', 7],
    [2n ** 62n, 'integer', 2n ** 62n],
    [-(2n ** 63n), 'integer', -(2n ** 63n)],
    [true, 'integer', 1],
    [false, 'integer', 0],
    [null, 'null', null],
    [bytes, 'blob', bytes],
    [Buffer.from([7]), 'blob', new Uint8Array([7])],
    [new Date('2026-02-28T23:59:59.999Z'), 'text', '2026-02-28T23:59:59.999Z'],
  ]
  await inTransaction(async (sql) => {
    for (const [value, type, expected] of cases) {
      const rows = await sql.query('SELECT ? AS value, typeof(?) AS type', [value, value])
      assert.deepEqual(rows, [{ value: expected, type }])
    }
    assert.deepEqual(await sql.query("SELECT date(?, '+1 day') AS next", [new Date('2026-02-28T12:00:00Z')]), [
      { next: '2026-03-01' },
    ])
    assert.deepEqual(await sql.query('SELECT 1 AS "a b", 2 AS "__proto__"'), [JSON.parse('{"a b":1,"__proto__":2}')])
  })
})

test('values that SQL does not have are refused with their type', async (context) => {
  const { inTransaction } = await openTransactions(context)
  const bad = [Number.NaN, undefined, {}, () => 1, Symbol('s'), new Date(Number.NaN), 2n ** 63n, [1]]
  for (const value of bad) {
    await assert.rejects(
      inTransaction((sql) => sql.query('SELECT ?', [value as SqlValue])),
      failed(/not a value of SQL|64 bits/),
    )
  }
})

test('bytes whose buffer was transferred to another thread are refused, and the next transaction works', async (context) => {
  const { inTransaction, notes } = await openTransactions(context)
  for (const bytes of [new Uint8Array(8), Buffer.from(new ArrayBuffer(8)), new Uint8Array(0)]) {
    structuredClone(bytes, { transfer: [bytes.buffer] })
    await assert.rejects(
      inTransaction((sql) => sql.query('SELECT ?', [bytes])),
      failed(/buffer was transferred/),
    )
  }
  await inTransaction((sql) => sql.query("INSERT INTO notes VALUES (1, 'a')"))
  assert.equal((await notes()).length, 1)
})

test('bytes are copied at the call of the statement', async (context) => {
  const { inTransaction } = await openTransactions(context)
  await inTransaction(async (sql) => {
    const bytes = Buffer.from('abc')
    const asked = sql.query('SELECT hex(?) AS hex', [bytes])
    bytes.fill(0)
    assert.deepEqual(await asked, [{ hex: '616263' }])
  })
})

test('the number of values must equal the number of parameters', async (context) => {
  const { inTransaction, notes } = await openTransactions(context)
  for (const values of [[], [1], [1, 'a', 'b']]) {
    const refused = inTransaction((sql) => sql.query('INSERT INTO notes VALUES (?, ?)', values))
    await assert.rejects(refused, failed(/it needs 2 values|out of range/))
  }
  await assert.rejects(
    inTransaction((sql) => sql.query('SELECT :named')),
    failed(/it needs 1 values/),
  )
  await assert.rejects(
    inTransaction((sql) => sql.query('SELECT :named', [1])),
    failed(/./),
  )
  assert.deepEqual(await notes(), [])
})

test('statements that would end the transaction, or reach outside it, are refused', async (context) => {
  const { path, transact, notes } = await openTransactions(context)
  const elsewhere = `${path}-elsewhere`
  for (const text of [
    ...[
      'COMMIT',
      'END',
      'ROLLBACK',
      'BEGIN',
      'SAVEPOINT a',
      'RELEASE a',
      'ROLLBACK TO a',
      'VACUUM',
      'ANALYZE',
      'REINDEX',
    ],
    ...['PRAGMA user_version = 5', 'PRAGMA synchronous = OFF', `ATTACH '${elsewhere}' AS other`, 'DETACH main'],
    ...['commit;', ' \n /* now */ -- really\n COMMIT', '/* a *//* b */ ROLLBACK', ';COMMIT', '(SELECT 1)', 'nonsense'],
    ...['', ' ', '-- nothing', '/* nothing', ';'],
  ]) {
    const refused = transact(async (sql) => {
      await sql.query("INSERT INTO notes VALUES (1, 'a')")
      await sql.query(text)
      return done
    })
    await assert.rejects(refused, failed(/a transaction allows only SELECT|more than one statement/), text)
  }
  assert.deepEqual(await notes(), [])
})

test('a text is one statement, and may have comments and a semicolon', async (context) => {
  const { inTransaction, notes } = await openTransactions(context)
  for (const text of [
    "INSERT INTO notes VALUES (1, 'a'); DELETE FROM notes",
    "INSERT INTO notes VALUES (1, 'a');;x",
    "INSERT INTO notes VALUES (1, 'a'); /* and */ COMMIT",
    `SELECT 1; ${'/* */ '.repeat(500)} x`,
    'SELECT 1\0; SELECT 2',
  ]) {
    await assert.rejects(
      inTransaction((sql) => sql.query(text)),
      failed(/more than one statement|unrecognized/),
    )
  }
  await inTransaction(async (sql) => {
    await sql.query("-- first\n/* then */ INSERT INTO notes VALUES (1, 'a;b') ; ; -- the end\n /* is */ /* here")
    await sql.query('CREATE TRIGGER t AFTER DELETE ON notes BEGIN SELECT 1; SELECT 2; END;')
    assert.deepEqual(await sql.query('VALUES (1), (2)'), [{ column1: 1 }, { column1: 2 }])
    const returned = await sql.query("INSERT INTO notes VALUES (2, 'b') RETURNING id + 1 AS next")
    assert.deepEqual(returned, [{ next: 3 }])
    const [step] = await sql.query<{ readonly detail: string }>('EXPLAIN QUERY PLAN SELECT * FROM notes WHERE id = ?')
    assert.match(step!.detail, /SEARCH notes/)
  })
  assert.deepEqual(await notes(), [
    { id: 1, note: 'a;b' },
    { id: 2, note: 'b' },
  ])
})

test('the tables of the store cannot be changed, by whatever means', async (context) => {
  const { path, store, transact } = await openTransactions(context)
  await store.append([simpleCommit('c', { events: [{ type: 'Deposited', data: {}, tags: ['gift'] }] })])
  await store.saveStep('other', { from: at(0), to: at(5), rows: [{ key: 'k', value: 1 }] })
  await store.acquireLease('l', 'me', 1000)
  const everything = () =>
    withDatabase(path, (database) => {
      const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all()
      const rows = tables.map(({ name }) => database.prepare(`SELECT * FROM "${name}"`).all())
      return JSON.stringify([rows, database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all()])
    })
  const before = await everything()
  for (const texts of [
    ["INSERT INTO events VALUES (2, 2, 1, 0, 7, 'x', '{}', NULL, NULL, 1, 1, NULL, NULL, 7)"],
    ["INSERT INTO streams VALUES (9, 'a', 'b', 1, 7, 9, 7)"],
    ['UPDATE streams SET sequence = 7'],
    ['UPDATE log SET head = 1000'],
    ["INSERT INTO reservations VALUES ('account', 'ada', 'me', 9)"],
    ["INSERT INTO kinds VALUES (9, 'a', 'b', 1, 7)"],
    ["INSERT INTO event_tags VALUES ('x', 1)"],
    ["INSERT OR REPLACE INTO meta VALUES ('schema_version', 7)"],
    ["UPDATE projections SET checkpoint = 9 WHERE name = 'other'"],
    ['DELETE FROM projection_rows'],
    ["WITH x AS (SELECT 'other' AS name) INSERT INTO projections SELECT name || '!', 1, 1, '{}', 7 FROM x"],
    ['DELETE FROM leases'],
    ["INSERT INTO snapshots VALUES ('a', 'b', 1, 1, 1, 'f', 1, '{}', 7)"],
    ['CREATE TRIGGER mine AFTER INSERT ON notes BEGIN DELETE FROM leases; END', "INSERT INTO notes VALUES (1, 'a')"],
    ['CREATE TRIGGER mine AFTER INSERT ON events BEGIN DELETE FROM notes; END'],
    ['CREATE INDEX mine ON events (recorded_at)'],
    ['ALTER TABLE events ADD COLUMN mine TEXT'],
    ['ALTER TABLE leases RENAME TO mine'],
    ['DROP TRIGGER events_forbid_delete', 'DELETE FROM events'],
    ['DROP TABLE "projection_rows"'],
    ['DROP VIEW IF EXISTS main.event_log'],
    ['CREATE TEMP TABLE projections (name TEXT, checkpoint INTEGER)'],
    ['CREATE TEMPORARY VIEW mine AS SELECT 1'],
  ]) {
    const refused = transact(async (sql) => {
      await sql.query("INSERT INTO notes VALUES (9, 'beside')")
      for (const text of texts) await sql.query(text)
      return { to: at(1), rows: [{ key: 'k', value: 1 }] }
    })
    await assert.rejects(
      refused,
      failed(/of the store|temporary objects of this connection|never changed or deleted/),
      texts.join(),
    )
    assert.equal(await everything(), before, texts.join())
  }
  assert.partialDeepStrictEqual(await store.append([simpleCommit('d')]), [{ status: 'stored', position: 2 }])
})

test('the tables of the store can be read, and referenced in columns of other tables', async (context) => {
  const { store, inTransaction } = await openTransactions(context)
  await store.append([simpleCommit('c')])
  await inTransaction(async (sql) => {
    await sql.query('CREATE TABLE totals (events INTEGER, streams INTEGER)')
    await sql.query('INSERT INTO totals SELECT count(*), (SELECT count(*) FROM streams) FROM events')
    assert.deepEqual(await sql.query('SELECT events, streams FROM totals'), [{ events: 1, streams: 1 }])
    await sql.query('ALTER TABLE totals ADD COLUMN snapshots TEXT')
    await sql.query('DROP TABLE totals')
  })
  assert.ok(schemaIn('').objects.includes('events_by_kind'))
})

test('many statements with different texts are run, and long results are complete', async (context) => {
  const { inTransaction } = await openTransactions(context)
  await inTransaction(async (sql) => {
    for (let i = 0; i < 500; i++) sql.query(`INSERT INTO notes VALUES (${i}, 'n${i}')`)
    const rows = await sql.query('SELECT id, note FROM notes ORDER BY id')
    assert.deepEqual(
      rows,
      Array.from({ length: 500 }, (_, i) => ({ id: i, note: `n${i}` })),
    )
    const [wide] = await sql.query(`SELECT ${Array.from({ length: 1000 }, (_, i) => `${i} AS c${i}`)}`)
    assert.equal(Object.keys(wide!).length, 1000)
  })
})
