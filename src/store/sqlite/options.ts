/** The options of the SQLite store. They are checked when the factory is made, before anything is opened. */
import { resolve } from 'node:path'
import { checkFlag, checkKeys, refuseOption } from '../../domain/options.ts'

/** Options of `sqlite(path, options)`. All have a default. */
export interface SqliteOptions {
  /**
   * Answers before the data is on the disk (`PRAGMA synchronous = NORMAL`). This is faster for one caller at a time. A
   * power failure may lose the last commits, but never a part of a commit. A crash of the process alone loses nothing.
   * Warns with `DURABILITY_WEAKENED`. False by default. After a power failure the store always opens, with everything
   * up to some commit, and `TORN_TAIL_CUT` says what is known of the rest. Commits of which nothing reached the disk
   * cannot be counted. A reader that knows the place of one of them gets `LOG_REPLACED`.
   */
  readonly mayLoseOnPowerFailure?: boolean
  /**
   * The prefix of the names of the store's tables; empty by default. Several stores may share a file if each has its
   * own prefix, also with tables of yours that would have the same names.
   */
  readonly prefix?: string
  /** Whether the store is made if there is none. Otherwise that is `STORE_NOT_MIGRATED`. True by default. */
  readonly migrate?: boolean
  /**
   * Keeps the indexes of command ids, event types and tags twice. SQLite has no checksums. If a damaged disk has lost
   * an entry of an index, reads by types or tags miss an event, and a repeated command is not recognised. With two
   * indexes of each kind that is `STORE_CORRUPT`, however large the file is. Writing takes about a quarter more
   * processor time, and more space. Once the second indexes are made they stay in the file and are always used. False
   * by default: then only a file of up to 4 MB is checked for this, when it is opened.
   */
  readonly keepIndexesTwice?: boolean
  /** How long a write waits for other processes that are writing, in milliseconds, 10,000 by default. */
  readonly lockWaitMs?: number
  /**
   * How long a transaction (`transact`) may be open, in milliseconds, 10,000 by default. All other writes to the file
   * wait for it. After that time it is rolled back and rejects with `TRANSACTION_TOO_LONG`. A single statement that is
   * running cannot be interrupted.
   */
  readonly transactionMsMax?: number
  /** The greatest size of the file in bytes. Beyond it the error is `STORE_FULL`. Unlimited by default. */
  readonly fileSizeMax?: number
}

/** The options with their defaults, and the absolute path. Both threads get them. */
export interface Settings {
  readonly path: string
  readonly prefix: string
  readonly migrate: boolean
  readonly mayLoseOnPowerFailure: boolean
  readonly keepIndexesTwice: boolean
  readonly lockWaitMs: number
  readonly transactionMsMax: number
  readonly fileSizeMax: number
}

const lockWaitMsDefault = 10_000
const transactionMsMaxDefault = 10_000
/** Names that need no quotes in SQL, in lower case because SQLite ignores the case. */
const prefixForm = /^(?!sqlite_)(?:[a-z_][a-z0-9_]{0,49})?$/
/** The longest time of a timer. */
const timerMsMax = 2 ** 31 - 1
/** An empty store with this schema has a little more than 20 pages. */
const fileSizeMaxLeast = 262_144

const known: readonly (keyof SqliteOptions)[] = [
  'mayLoseOnPowerFailure',
  'prefix',
  'migrate',
  'keepIndexesTwice',
  'lockWaitMs',
  'transactionMsMax',
  'fileSizeMax',
]

/** @throws DefinitionError `OPTION_INVALID` */
export function settingsOf(path: string, options: SqliteOptions): Settings {
  checkKeys('sqlite(path, options)', options, known)
  const { mayLoseOnPowerFailure = false, lockWaitMs = lockWaitMsDefault, fileSizeMax = Infinity } = options
  const { transactionMsMax = transactionMsMaxDefault, prefix = '', migrate = true, keepIndexesTwice = false } = options
  if (typeof path !== 'string' || path === '' || path.includes('\0')) refuseOption('path', 'the path of a file', path)
  if (path.startsWith(':memory:')) refuseOption('path', 'the path of a file (for a store in memory use memory())', path)
  if (path.startsWith('file:')) refuseOption('path', 'a plain path, not a URL', path)
  if (typeof prefix !== 'string' || !prefixForm.test(prefix)) {
    refuseOption('prefix', 'up to 50 of a-z, 0-9 and _, not a digit first, and not sqlite_...', prefix)
  }
  for (const [option, flag] of Object.entries({ mayLoseOnPowerFailure, migrate, keepIndexesTwice }))
    checkFlag(option, flag)
  if (!Number.isFinite(lockWaitMs) || lockWaitMs < 0) refuseOption('lockWaitMs', 'a time in milliseconds', lockWaitMs)
  if (!(transactionMsMax > 0 && transactionMsMax <= timerMsMax)) {
    refuseOption('transactionMsMax', 'a time in milliseconds above 0', transactionMsMax)
  }
  if (typeof fileSizeMax !== 'number' || !(fileSizeMax >= fileSizeMaxLeast)) {
    refuseOption('fileSizeMax', `a size of at least ${fileSizeMaxLeast} bytes`, fileSizeMax)
  }
  return Object.freeze({
    path: resolve(path),
    prefix,
    migrate,
    mayLoseOnPowerFailure,
    keepIndexesTwice,
    lockWaitMs,
    transactionMsMax,
    fileSizeMax,
  })
}
