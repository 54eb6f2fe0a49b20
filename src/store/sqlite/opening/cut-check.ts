/**
 * Judges a write-ahead log that breaks off before its end. If commits were acknowledged before they were on the disk, a
 * power failure can cause that. The store then opens with the whole part, and reports what is cut. If each commit was
 * on the disk before the next was written, a failure leaves nothing after the last one. Several transactions there are
 * then damage, and the file is refused.
 */
import type { DatabaseSync } from 'node:sqlite'
import { type CutLog, findCut } from '../database/cut-log.ts'
import { storeNamed } from '../database/failure.ts'
import type { Schema } from '../database/schema.ts'
import { damaged } from '../log/event-row.ts'

const note = 'may_lose_on_power_failure'

/** Notes in the file that its commits may not have been on the disk. Call it while the file is written durably. */
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

/** The database that is being opened, its tables if there are any, and how far the file itself is. */
interface Opened {
  readonly path: string
  readonly schema: Schema | undefined
  readonly moved: number | undefined
}

/** @returns what the write-ahead log lacks, if anything. @throws Failure 'damaged' */
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
  // Without its header the log may be one whose transactions are already in the file.
  if (at === 0 && position !== undefined && !isBehind) return undefined
  const isCertain = transactions > 1 && (at > 0 || isBehind)
  if (isCertain && schema !== undefined && !mayLose(database, schema)) {
    const place = at === 0 ? 'its header is damaged' : `it is damaged from page ${at} on`
    throw damaged('its write-ahead log', `${place}; ${transactions} transactions come after that`)
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
      ? 'how far the log had come is unknown'
      : `the log had come at least to position ${position}`
  return `${storeNamed(path)} ends at position ${head}: ${what} after it in its write-ahead log was not completely on the disk, or came after a part that was not, and is cut; ${reached}`
}
