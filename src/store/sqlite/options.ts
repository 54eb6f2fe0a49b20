/**
 * What a caller may choose about the SQLite store: checked once, when the factory is made, before anything is opened.
 */
import { resolve } from 'node:path'
import { checkFlag, checkKeys, refuseOption } from '../../domain/options.ts'

/** Options of `sqlite(path, options)`. All have a default. */
export interface SqliteOptions {
  /**
   * Answers before the data is on the disk (`PRAGMA synchronous = NORMAL`): faster for one caller at a time, and the
   * last commits before a power failure may be lost, though never torn. A crash of the process alone loses nothing.
   * Warns with `DURABILITY_WEAKENED`. False by default. The store always opens after a power failure, with what is
   * whole up to some commit, and `TORN_TAIL_CUT` says what can be told of the rest. Commits of which nothing came to
   * the disk cannot be counted; who knows one of them by its place in the log gets `LOG_REPLACED`.
   */
  readonly mayLoseOnPowerFailure?: boolean
  /**
   * What the names of the store's tables begin with; nothing by default. Several stores may share a file, each with its
   * own, and with tables of yours that have the same names.
   */
  readonly prefix?: string
  /**
   * Keeps the indexes of command ids, event types and tags twice. SQLite has no checksums: where a damaged disk has
   * taken an entry out of an index, reads by types or tags pass over an event, and a repeated command is not
   * recognised. With two of each that is `STORE_CORRUPT`, however large the file is. Writing takes about a quarter more
   * of the processor, and more space. The second indexes stay in the file once they are made, and are used from then
   * on. False by default: then only a file of up to 4 MB is checked for that, when it is opened.
   */
  readonly keepIndexesTwice?: boolean
  /** How long a write waits for other processes that are writing, in milliseconds; 10,000 by default. */
  readonly lockWaitMs?: number
  /**
   * How long a transaction (`transact`) may be open, in milliseconds; 10,000 by default. It holds up every other write
   * to the file, so over it, it is rolled back and rejects with `TRANSACTION_TOO_LONG`. A single statement that is
   * running cannot be cut short.
   */
  readonly transactionMsMax?: number
  /** The size in bytes beyond which the file does not grow: `STORE_FULL` then. Unlimited by default. */
  readonly fileSizeMax?: number
}

/** The options with their defaults, and the absolute path: what both threads are given. */
export interface Settings {
  readonly path: string
  readonly prefix: string
  readonly mayLoseOnPowerFailure: boolean
  readonly keepIndexesTwice: boolean
  readonly lockWaitMs: number
  readonly transactionMsMax: number
  readonly fileSizeMax: number
}

const lockWaitMsDefault = 10_000
const transactionMsMaxDefault = 10_000
/** What needs no quotes in SQL, in one case because SQLite takes no notice of it. */
const prefixForm = /^(?!sqlite_)(?:[a-z_][a-z0-9_]{0,49})?$/
/** What a timer can wait for. */
const timerMsMax = 2 ** 31 - 1
/** An empty store of this schema has a good 20 pages. */
const fileSizeMaxLeast = 262_144

const known: readonly (keyof SqliteOptions)[] = [
  'mayLoseOnPowerFailure',
  'prefix',
  'keepIndexesTwice',
  'lockWaitMs',
  'transactionMsMax',
  'fileSizeMax',
]

/** @throws DefinitionError `OPTION_INVALID` */
export function settingsOf(path: string, options: SqliteOptions): Settings {
  checkKeys('sqlite(path, options)', options, known)
  const { mayLoseOnPowerFailure = false, lockWaitMs = lockWaitMsDefault, fileSizeMax = Infinity } = options
  const { transactionMsMax = transactionMsMaxDefault, prefix = '', keepIndexesTwice = false } = options
  if (typeof path !== 'string' || path === '' || path.includes('\0')) refuseOption('path', 'the path of a file', path)
  if (path.startsWith(':memory:')) refuseOption('path', 'the path of a file (for a store in memory use memory())', path)
  if (path.startsWith('file:')) refuseOption('path', 'a plain path, not a URL', path)
  if (typeof prefix !== 'string' || !prefixForm.test(prefix)) {
    refuseOption('prefix', 'up to 50 of a-z, 0-9 and _, not a digit first, and not sqlite_...', prefix)
  }
  for (const [option, flag] of Object.entries({ mayLoseOnPowerFailure, keepIndexesTwice })) checkFlag(option, flag)
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
    mayLoseOnPowerFailure,
    keepIndexesTwice,
    lockWaitMs,
    transactionMsMax,
    fileSizeMax,
  })
}
