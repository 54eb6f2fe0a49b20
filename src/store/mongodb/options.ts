/** The options of the MongoDB store. They are checked when the factory is made, before anything is opened. */
import { checkFlag, checkKeys, refuseOption } from '../../domain/options.ts'
import type { StoreLimits } from '../store.ts'
import type { MongoClient } from './database/driver.ts'

/** Options of `mongodb(place, options)`. All have a default. */
export interface MongodbOptions {
  /** The database. By default it is the one in the URL or of the client, or `mneme` if the URL names none. */
  readonly database?: string
  /** The prefix of the names of the store's collections, `mneme_` by default. */
  readonly prefix?: string
  /**
   * The greatest number of connections that the store opens, 10 by default. A client of the caller's has its own bound.
   */
  readonly poolSize?: number
  /**
   * How long a call waits for the server, in milliseconds, 10,000 by default. After that the error is
   * `STORE_UNAVAILABLE`.
   */
  readonly timeoutMs?: number
  /** Whether opening makes missing collections and indexes, or refuses. True by default. */
  readonly migrate?: boolean
}

/** The options with their defaults. */
export interface Settings {
  readonly place: string | MongoClient
  /** The name of the store in messages, without a password. */
  readonly label: string
  readonly database: string | undefined
  readonly prefix: string
  readonly poolSize: number
  readonly timeoutMs: number
  readonly migrate: boolean
  readonly limits: StoreLimits
  /** How long an appender relies on what it saw of reservations, and of the log if it met no other writer there. */
  readonly lookMs: number
}

const limits: StoreLimits = Object.freeze({ commitSizeMax: 8_000_000, commitEventsMax: 10_000 })
const poolSizeDefault = 10
const poolSizeMax = 1000
const timeoutMsDefault = 10_000
const databaseDefault = 'mneme'
const lookMsDefault = 50
/** The greatest length of a database's name, in bytes. */
const databaseLengthMax = 63

const known: readonly (keyof MongodbOptions)[] = ['database', 'prefix', 'poolSize', 'timeoutMs', 'migrate']

/** @throws DefinitionError `OPTION_INVALID` */
export function settingsOf(place: string | MongoClient, options: MongodbOptions): Settings {
  checkKeys('mongodb(place, options)', options, known)
  const { prefix = 'mneme_', poolSize = poolSizeDefault, timeoutMs = timeoutMsDefault, migrate = true } = options
  const database = options.database ?? (typeof place === 'string' ? databaseIn(place) : undefined)
  if (database !== undefined && !isDatabaseName(database)) {
    refuseOption('database', `a name of 1 to ${databaseLengthMax} bytes without any of /\\. "$*<>:|?`, database)
  }
  if (typeof prefix !== 'string' || !/^(?!system\.)[\w.-]{0,64}$/.test(prefix)) {
    refuseOption('prefix', 'up to 64 letters, digits and characters of _.-', prefix)
  }
  if (!Number.isSafeInteger(poolSize) || poolSize < 1 || poolSize > poolSizeMax) {
    refuseOption('poolSize', `a whole number from 1 to ${poolSizeMax}`, poolSize)
  }
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) refuseOption('timeoutMs', 'a time in milliseconds', timeoutMs)
  checkFlag('migrate', migrate)
  return Object.freeze({
    place,
    label: labelOf(place, database),
    database,
    prefix,
    poolSize,
    timeoutMs,
    migrate,
    limits,
    lookMs: lookMsDefault,
  })
}

/** The database in a URL. @throws DefinitionError */
function databaseIn(url: string): string {
  const [, named] =
    /^mongodb(?:\+srv)?:\/\/[^/?]+(?:\/([^?]*))?/.exec(url) ?? refuseOption('url', 'mongodb://...', hidden(url))
  return named === undefined || named === '' ? databaseDefault : decodeURIComponent(named)
}

function labelOf(place: string | MongoClient, database: string | undefined): string {
  if (typeof place === 'string') return `mongodb (${hidden(place).replace(/^mongodb(\+srv)?:\/\//, '')}/${database})`
  if (typeof place?.startSession !== 'function') refuseOption('url', 'mongodb://... or a MongoClient', String(place))
  const hosts = place.options.hosts.map(String).join()
  return `mongodb (${hosts}/${database ?? place.options.dbName})`
}

/** A URL without its user, password, database and options. */
const hidden = (url: string): string => String(url).replace(/^([^/]*\/\/)(?:[^/]*@)?([^/?]*).*$/s, '$1$2')

const isDatabaseName = (name: unknown): boolean =>
  typeof name === 'string' && /^[^/\\. "$*<>:|?\0]+$/.test(name) && Buffer.byteLength(name) <= databaseLengthMax
