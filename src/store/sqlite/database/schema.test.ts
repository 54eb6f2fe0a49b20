/** The tables: what people can read from them, what is prevented, and that no statement reads a whole one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at } from '../../../testing/checkpoint-at.ts'
import { commit } from '../../commit.ts'
import { freshPath, openStore, simpleCommit, withDatabase } from '../sqlite-test.fixture.ts'
import { readingIn, rowSizesText, rowsText, writingIn } from './statements.ts'

/** Every statement of the store by name; statements for rows in all their forms. */
const statements: Readonly<Record<string, string>> = {
  ...readingIn(''),
  ...writingIn(''),
  ...Object.fromEntries(
    [true, false].flatMap((behind) => [
      [`rowSizes ${behind}`, rowSizesText('', behind)],
      ...([[], ['oneOf'], ['bounds'], ['bounds', 'oneOf', 'oneOf']] as const).map((tests) => [
        `rowsText ${behind} ${tests}`,
        rowsText('', behind, tests),
      ]),
    ]),
  ),
}

test('every statement finds its rows by an index or the primary key, in order', async (context) => {
  const path = await freshPath(context)
  await openStore(context, path)
  await withDatabase(path, (database) => {
    for (const [name, statement] of Object.entries(statements)) {
      const steps = database.prepare(`EXPLAIN QUERY PLAN ${statement}`).all()
      for (const { detail } of steps) {
        const allowed = /^SEARCH |^SCAN json_each |SUBQUERY|^USING INDEX .* FOR IN-OPERATOR|CREATE BLOOM FILTER/
        assert.match(String(detail), allowed, `${name}: ${detail}`)
      }
    }
  })
})

test('a page of rows is a range of the primary key on both sides', async (context) => {
  const path = await freshPath(context)
  await openStore(context, path)
  await withDatabase(path, (database) => {
    for (const [name, statement] of Object.entries(statements).filter(([name]) => name.startsWith('rows'))) {
      const [{ detail } = {}] = database.prepare(`EXPLAIN QUERY PLAN ${statement}`).all()
      assert.match(
        String(detail),
        /USING INDEX sqlite_autoindex_projection_rows_1 \(projection=\? AND key>\? AND key<\?\)$/,
        name,
      )
    }
  })
})

test('events cannot be changed or deleted in plain SQL', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  await store.append([simpleCommit('c', { events: [{ type: 'Deposited', data: {}, tags: ['gift'] }] })])
  await withDatabase(path, (database) => {
    for (const change of [
      "UPDATE events SET data = '{}'",
      'DELETE FROM events',
      "UPDATE event_tags SET tag = 'theft'",
      'DELETE FROM event_tags',
      "UPDATE streams SET id = 'eve'",
      'DELETE FROM streams',
      "UPDATE kinds SET type = 'Stolen'",
    ]) {
      assert.throws(() => database.exec(change), /never changed or deleted|constraint/, change)
    }
  })
  assert.equal(await store.head(), 1)
})

test('the log is easy to read in plain SQL', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  const events = [
    { type: 'Opened', data: { owner: 'Ada' }, tags: ['gift', 'new'] },
    { type: 'Deposited', data: { amount: 5 }, revision: 2, metadata: { user: 'ada' } },
  ]
  const stream = { aggregate: 'account', id: 'ada' }
  await store.append([
    commit({ stream, expected: 'none', id: 'c', recordedAt: Date.UTC(2026, 0, 2, 3, 4, 5, 6), events }),
  ])
  const rows = await withDatabase(path, (database) =>
    database.prepare('SELECT * FROM event_log ORDER BY position').all(),
  )
  const shared = { aggregate: 'account', id: 'ada', commit_id: 'c', recorded_at: '2026-01-02T03:04:05.006Z' }
  assert.deepEqual(
    rows.map((row) => ({ ...row })),
    [
      {
        ...shared,
        position: 1,
        sequence: 1,
        type: 'Opened',
        revision: 1,
        data: '{"owner":"Ada"}',
        metadata: '{}',
        tags: '["gift","new"]',
      },
      {
        ...shared,
        position: 2,
        sequence: 2,
        type: 'Deposited',
        revision: 2,
        data: '{"amount":5}',
        metadata: '{"user":"ada"}',
        tags: '[]',
      },
    ],
  )
})

test('rows of a projection can be queried in plain SQL', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  await store.saveStep('balances', { from: at(0), to: at(3), rows: [{ key: 'ada', value: { balance: 7 } }] })
  const sum = await withDatabase(path, (database) =>
    database.prepare("SELECT sum(value ->> 'balance') AS sum FROM projection_rows WHERE projection = 'balances'").get(),
  )
  assert.equal(sum!['sum'], 7)
})

test('no statement has numbered parameters, because Node 22 cannot bind them by position', () => {
  const numbered = Object.values(statements).filter((statement) => /\?\d/.test(statement))
  assert.deepEqual(numbered, [])
})
