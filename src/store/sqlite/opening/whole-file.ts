/**
 * Checks a whole file when it is opened. Every row is compared with its checksum when it is read. But if an index has
 * lost an entry, there is nothing to compare: a stream would seem to be empty. Here the indexes are compared with their
 * tables, and every row with its checksum. The time grows with the size of the file, so only a file of moderate size is
 * checked.
 */
import type { DatabaseSync } from 'node:sqlite'
import { codes, isCode } from '../database/failure.ts'
import { inTransaction } from '../database/in-transaction.ts'
import { schemaIn } from '../database/schema.ts'
import { allRows, prepareAll } from '../database/statement-set.ts'
import { checkingIn } from '../database/statements.ts'
import type { EventRow } from '../log/checksum.ts'
import { damaged, placeOfStream, type StreamRow } from '../log/event-row.ts'
import { EventSource } from '../log/event-source.ts'
import { Names } from '../log/names.ts'

/** The largest file that is checked, in bytes. A file of this size takes some 50 ms. */
const sizeMax = 4 * 1024 * 1024
const rowsAtOnce = 1000

/** @throws Failure 'damaged', or what `node:sqlite` throws */
export function checkWhole(database: DatabaseSync, prefix: string): void {
  const numberOf = (pragma: string) => Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get()!)[0])
  if (numberOf('page_count') * numberOf('page_size') > sizeMax) return
  for (const table of schemaIn(prefix).tableNames) {
    const [found] = Object.values(database.prepare(`PRAGMA integrity_check(${table})`).get() ?? {})
    if (found !== 'ok') throw damaged(table, String(found))
  }
  try {
    // Another process may write at the same time.
    inTransaction(database, () => checkRows(database, prefix))
  } catch (error) {
    // A text is not JSON.
    if (isCode(error, codes.error)) throw damaged('a row', String(error))
    throw error
  }
}

function checkRows(database: DatabaseSync, prefix: string): void {
  const { streams, events, untagged } = prepareAll(database, checkingIn(prefix))
  for (const [aggregate, id, ...row] of allRows<readonly [string, string, ...StreamRow]>(streams)) {
    placeOfStream({ aggregate, id }, row)
  }
  const source = new EventSource(database, prefix, new Names(database, prefix))
  for (let from = 0; ; ) {
    const rows = allRows<EventRow>(events, from, rowsAtOnce)
    for (const row of rows) source.of(row)
    if (rows.length < rowsAtOnce) break
    from = rows.at(-1)![0]
  }
  const [position] = allRows<[number]>(untagged)[0] ?? []
  if (position !== undefined) {
    throw damaged(`${prefix}event_tags`, `it lacks a tag of the event at position ${position}`)
  }
}
