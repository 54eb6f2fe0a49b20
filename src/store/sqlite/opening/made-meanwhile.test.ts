/** Opening while another process makes the tables, at any moment between two questions of the check. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { hasSchema, makeOrCheckSchema, schemaIn } from '../database/schema.ts'
import { freshPath } from '../sqlite-test.fixture.ts'

const schema = schemaIn('')

/** Makes the tables in the file, as another process does. */
function make(path: string): void {
  const database = new DatabaseSync(path)
  database.exec('BEGIN IMMEDIATE')
  makeOrCheckSchema(database, schema)
  database.exec('COMMIT')
  database.close()
}

/** Calls back before the statement with a number is prepared, from 1. */
function before(database: DatabaseSync, nth: number, callback: () => void): { readonly count: number } {
  const prepare = database.prepare.bind(database)
  const seen = { count: 0 }
  database.prepare = (sql) => {
    if (++seen.count === nth) callback()
    return prepare(sql)
  }
  return seen
}

test('A file whose tables are made while they are looked for has none yet, or all, and is never damaged', async (t) => {
  let moments = 0
  for (let nth = 1; ; nth++) {
    const path = await freshPath(t)
    const database = new DatabaseSync(path, { timeout: 0 })
    database.exec('PRAGMA journal_mode = WAL')
    const seen = before(database, nth, () => make(path))
    const found = hasSchema(database, schema)
    database.close()
    if (seen.count < nth) break
    assert.equal(typeof found, 'boolean')
    moments++
  }
  assert.ok(moments >= 3)
})
