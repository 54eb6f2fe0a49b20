/**
 * Judges a write-ahead log that breaks off before its end. Where commits were acknowledged before they were on the
 * disk, a power failure does that: the store opens with what is whole, and says what is cut. Where each was on the disk
 * before the next was written, there is nothing behind the last one that a failure could have left, so several
 * transactions there are damage, and the file is refused.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type CutLog, findCut } from '../database/cut-log.ts'
import { storeNamed } from '../database/failure.ts'
import type { Schema } from '../database/schema.ts'
import { damaged } from '../log/event-row.ts'

const note = 'may_lose_on_power_failure'

/** Says in the file that commits in it may not have been on the disk. To be called while it is written durably. */
export function noteMayLose(database: DatabaseSync, schema: Schema): void {
  if (!mayLose(database, schema)) database.prepare(`INSERT OR IGNORE INTO ${schema.meta} VALUES (?, 1)`).run(note)
}

function mayLose(database: DatabaseSync, { meta }: Schema): boolean {
  return database.prepare(`SELECT 1 FROM ${meta} WHERE name = ?`).get(note) !== undefined
}

/** Where the log of events ends. */
export function endIn(database: DatabaseSync, { log }: Schema): number {
  return Number(database.prepare(`SELECT head FROM ${log} WHERE id = 1`).get()?.['head'] ?? 0)
}

/** The database as it is opened, where the tables are if there are any, and how far the file itself is. */
interface Opened {
  readonly path: string
  readonly schema: Schema | undefined
  readonly moved: number | undefined
}

/** @returns what the write-ahead log lacks, if it does. @throws Failure 'damaged' */
export function checkLog(database: DatabaseSync, { path, schema, moved = 0 }: Opened): CutLog | undefined {
  const numberOf = (text: string) => Number(Object.values(database.prepare(text).get() ?? {})[0] ?? 0)
  const head = schema === undefined ? 0 : endIn(database, schema)
  if (moved > head) {
    throw damaged('its write-ahead log', `it ends at position ${head}, and the file itself at ${moved}`)
  }
  const endPage =
    schema && numberOf(`SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = '${schema.log}'`)
  const cut = findCut({ path, pageSize: numberOf('PRAGMA page_size'), endPage })
  if (cut === undefined) return undefined
  const { transactions, position, at } = cut
  const isBehind = position !== undefined && position > head
  // Without its header it may be one whose transactions are in the file already.
  if (at === 0 && position !== undefined && !isBehind) return undefined
  const isCertain = transactions > 1 && (at > 0 || isBehind)
  if (isCertain && schema !== undefined && !mayLose(database, schema)) {
    const place = at === 0 ? 'its header is' : `it is from page ${at} on`
    throw damaged('its write-ahead log', `${place} not as it was written, and ${transactions} transactions are there`)
  }
  return { ...cut, head }
}

export function cutWords(path: string, { transactions, position, head }: CutLog): string {
  const what =
    transactions === 0
      ? 'a part of a transaction'
      : `${transactions} ${transactions === 1 ? 'transaction' : 'transactions'}`
  const reached =
    position === undefined || position <= head
      ? 'how far the log had come cannot be told'
      : `the log had come to position ${position} at least`
  return `${storeNamed(path)} ends at position ${head}: ${what} behind it in its write-ahead log was not whole on the disk, or came after what was not, and is cut; ${reached}`
}
