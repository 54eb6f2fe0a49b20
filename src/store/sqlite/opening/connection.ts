/**
 * The two ways to open the database: for writing (on the writer's thread; it also makes the tables) and for reading
 * only (on the caller's thread). Neither leaves a transaction open between calls.
 */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { elapsedMs } from '../../../runtime/timers.ts'
import type { CutLog } from '../database/cut-log.ts'
import { codes, Failure, isCode } from '../database/failure.ts'
import { logPathOf } from '../database/log-path.ts'
import type { Pause } from '../database/pause.ts'
import { hasSchema, keepIndexesTwice, makeOrCheckSchema, type Schema, schemaIn } from '../database/schema.ts'
import type { Settings } from '../options.ts'
import { checkLog, endIn, noteMayLose } from './cut-check.ts'
import { checkWhole } from './whole-file.ts'

/** How long a read waits while another process restores the log after a crash. */
const readWaitMs = 5_000
const pageSize = 4096
/**
 * The number of pages in the write-ahead log from which a commit moves them to the database. A larger number saves
 * repeated writes.
 */
const checkpointPages = 4000
/** The size to which the write-ahead log is cut when it is reset. */
const walSizeMax = 64 * 1024 * 1024
const cacheSizeWriting = 32 * 1024
const cacheSizeReading = 16 * 1024

/**
 * Loads Node's SQLite without the warning that Node 22 prints for it. `emitWarning` is replaced only during this
 * synchronous call, and all other warnings are passed on.
 */
function load(): typeof import('node:sqlite') {
  const { emitWarning } = process
  process.emitWarning = (warning: string | Error, ...rest: any[]) => {
    if (!String(warning).startsWith('SQLite is an experimental feature')) emitWarning(warning, ...rest)
  }
  try {
    const sqlite = process.getBuiltinModule?.('node:sqlite') as typeof import('node:sqlite') | undefined
    if (sqlite === undefined) throw new Failure({ kind: 'no sqlite' })
    return sqlite
  } finally {
    process.emitWarning = emitWarning
  }
}

/** @throws Failure if the platform has no SQLite */
export function checkSqlite(): void {
  load()
}

/** A connection that writes, and what the write-ahead log lacked. */
interface OpenedForWriting {
  readonly database: DatabaseSync
  readonly cut: CutLog | undefined
}

/**
 * Opens for writing, and makes the tables if there are none and `migrate` is true.
 *
 * @throws Failure, or an error of `node:sqlite`
 */
export async function openForWriting(settings: Settings, pause: Pause): Promise<OpenedForWriting> {
  const { path, mayLoseOnPowerFailure, lockWaitMs, fileSizeMax } = settings
  if (!statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory()) {
    throw new Failure({ kind: 'no directory', path })
  }
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) throw new Failure({ kind: 'directory', path })
  // SQLite keeps a write-ahead log for each name, so processes that use different ones overwrite each other's data.
  if (found !== undefined && found.nlink > 1) throw new Failure({ kind: 'linked', path })
  const { DatabaseSync } = load()
  const schema = schemaIn(settings.prefix)
  return retryWhileBusy(lockWaitMs, pause, () => {
    if (!settings.migrate) checkMade(path, schema)
    const { isChecked, cut } = checkUnchanged(settings)
    const database = new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: false })
    try {
      database.exec(`
        PRAGMA synchronous = FULL;
        PRAGMA fullfsync = ON;
        PRAGMA checkpoint_fullfsync = ON;
        PRAGMA wal_autocheckpoint = ${checkpointPages};
        PRAGMA journal_size_limit = ${walSizeMax};
        PRAGMA cache_size = -${cacheSizeWriting};
      `)
      if (fileSizeMax !== Infinity) database.exec(`PRAGMA max_page_count = ${Math.floor(fileSizeMax / pageSize)}`)
      useWriteAheadLog(database)
      if (!hasSchema(database, schema)) {
        database.exec('BEGIN IMMEDIATE')
        makeOrCheckSchema(database, schema)
        database.exec('COMMIT')
      } else if (!isChecked) checkWhole(database, settings.prefix)
      if (settings.keepIndexesTwice) {
        database.exec('BEGIN IMMEDIATE')
        keepIndexesTwice(database, settings.prefix)
        database.exec('COMMIT')
      }
      if (mayLoseOnPowerFailure) noteMayLose(database, schema)
      // A cut is reported once, because the log then begins again.
      if (cut !== undefined) database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      if (mayLoseOnPowerFailure) database.exec('PRAGMA synchronous = NORMAL')
      return { database, cut }
    } catch (error) {
      database.close()
      throw error
    }
  })
}

/** Checks that a store is there, without making or changing a file. @throws Failure, or an error of `node:sqlite` */
function checkMade(path: string, schema: Schema): void {
  const isThere = (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0
  if (!isThere) throw new Failure({ kind: 'not migrated' })
  const { DatabaseSync } = load()
  const database = new DatabaseSync(path, { readOnly: true, timeout: 0 })
  try {
    if (!hasSchema(database, schema)) throw new Failure({ kind: 'not migrated' })
  } finally {
    database.close()
  }
}

/**
 * Checks a file before anything can change it. The last connection to close moves the write-ahead log into the file,
 * but a file that is refused must not change.
 *
 * @returns whether there was anything to check, and what its write-ahead log lacks
 * @throws Failure, or an error of `node:sqlite`
 */
function checkUnchanged({ path, prefix }: Settings): {
  readonly isChecked: boolean
  readonly cut?: CutLog | undefined
} {
  const sizeOf = (file: string) => statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (sizeOf(path) === 0 || sizeOf(logPathOf(path)) === 0) return { isChecked: false }
  const { DatabaseSync } = load()
  const schema = schemaIn(prefix)
  // This is read first, so it is never ahead of the log.
  const moved = positionWithoutLog(path, schema)
  const database = new DatabaseSync(path, { readOnly: true, timeout: 0 })
  try {
    const isChecked = hasSchema(database, schema)
    const cut = checkLog(database, { path, schema: isChecked ? schema : undefined, moved })
    if (isChecked) checkWhole(database, prefix)
    return { isChecked, cut }
  } finally {
    database.close()
  }
}

/** Where the log of events ends by the file alone, without the write-ahead log; undefined if that is unknown. */
function positionWithoutLog(path: string, schema: Schema): number | undefined {
  const { DatabaseSync } = load()
  try {
    const database = new DatabaseSync(`${pathToFileURL(path).href}?immutable=1`, { readOnly: true })
    try {
      return endIn(database, schema)
    } finally {
      database.close()
    }
  } catch {
    // Without its write-ahead log the file may be an incomplete database.
    return undefined
  }
}

/** Opens for reading a database that a writer has opened before. */
export function openForReading(path: string): DatabaseSync {
  const { DatabaseSync } = load()
  const database = new DatabaseSync(path, { readOnly: true, timeout: readWaitMs })
  database.exec(`PRAGMA cache_size = -${cacheSizeReading}`)
  return database
}

function useWriteAheadLog(database: DatabaseSync): void {
  const mode = database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode']
  if (mode === 'wal') return
  throw new Failure({ kind: 'unexpected', message: `the file system has no write-ahead log (journal mode ${mode})` })
}

/** Ends a transaction, if there is one. After some errors SQLite has already rolled it back. */
export function rollBack(database: DatabaseSync): void {
  try {
    if (database.isTransaction) database.exec('ROLLBACK')
  } catch {
    // The first error says more. In both cases nothing of the transaction is in the log.
  }
}

/**
 * Repeats an attempt, after short random waits, while another process holds the lock. SQLite's own waiting would sleep
 * up to 100 ms at a time, and does not wait at all if it sees a deadlock between openers.
 *
 * @throws Failure 'busy' after `waitMs`
 */
export async function retryWhileBusy<Result>(waitMs: number, pause: Pause, attempt: () => Result): Promise<Result> {
  const start = elapsedMs()
  for (let tries = 1; ; tries++) {
    try {
      return attempt()
    } catch (error) {
      if (!isCode(error, codes.busy)) throw error
      const waitedMs = elapsedMs() - start
      if (waitedMs >= waitMs) throw new Failure({ kind: 'busy', waitedMs: Math.round(waitedMs) })
      await pause(Math.random() * Math.min(tries, 10))
    }
  }
}
