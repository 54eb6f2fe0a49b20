/** The options of the PostgreSQL store. They are checked when the factory is made, before anything is opened. */
import { checkFlag, checkKeys, checkWhole, refuseOption } from '../../domain/options.ts'
import type { PostgresConfig, PostgresPool } from './database/driver.ts'

/** Options of `postgres(connection, options)`. All have a default. */
export interface PostgresOptions {
  /** The schema of the tables, `mneme` by default. Several stores may share a database, each in its own schema. */
  readonly schema?: string
  /**
   * The greatest number of connections for commands and reads, 10 by default. Do not set it with a pool of your own.
   * Steps of projections that write tables have other connections, at most half as many, and one connection listens.
   */
  readonly poolSize?: number
  /**
   * Whether the store listens on a connection for what other processes append (LISTEN). True by default. Without it,
   * followers see such events at their next poll. Set it to false if no connection is yours for long (PgBouncer in
   * transaction mode). The store needs nothing else of a session.
   */
  readonly listen?: boolean
  /**
   * Whether opening makes the tables if there are none, and updates old ones. True by default. With false they are only
   * checked, and a person with the right to do so makes them beforehand with the SQL of `migrationSql`.
   */
  readonly migrate?: boolean
  /**
   * How long the database may take for an answer, in milliseconds, 30,000 by default. After that the error is
   * `STORE_UNAVAILABLE`.
   */
  readonly timeoutMs?: number
  /**
   * Answers before the data is on the disk (`synchronous_commit = off`). This is faster for one caller at a time. A
   * crash of the server may lose the last commits, but never a part of a commit. Warns with `DURABILITY_WEAKENED`.
   * False by default.
   */
  readonly mayLoseOnPowerFailure?: boolean
}

/** The options with their defaults. */
export interface Settings {
  readonly connection: string | PostgresConfig | PostgresPool
  readonly schema: string
  readonly poolSize: number
  readonly listen: boolean
  readonly migrate: boolean
  readonly timeoutMs: number
  readonly mayLoseOnPowerFailure: boolean
}

const schemaDefault = 'mneme'
/** The name of the notification channel contains the schema's name and may have 63 bytes. */
const schemaBytesMax = 50
const poolSizeDefault = 10
const timeoutMsDefault = 30_000

const known: readonly (keyof PostgresOptions)[] = [
  'schema',
  'poolSize',
  'listen',
  'migrate',
  'timeoutMs',
  'mayLoseOnPowerFailure',
]

/** @throws DefinitionError `OPTION_INVALID` */
export function settingsOf(connection: Settings['connection'], options: PostgresOptions): Settings {
  checkKeys('postgres(connection, options)', options, known)
  const { poolSize = poolSizeDefault, timeoutMs = timeoutMsDefault, mayLoseOnPowerFailure = false } = options
  const { listen = true, migrate = true } = options
  if (typeof connection === 'string' ? !/^postgres(ql)?:\/\//.test(connection) : !isRecord(connection)) {
    refuseOption('connection', 'a URL (postgres://...), options for a connection, or a Pool of pg', typeof connection)
  }
  for (const [option, flag] of Object.entries({ listen, migrate, mayLoseOnPowerFailure })) checkFlag(option, flag)
  checkWhole('poolSize', poolSize, 1)
  if (!Number.isFinite(timeoutMs) || timeoutMs < 1) refuseOption('timeoutMs', 'a time in milliseconds', timeoutMs)
  const schema = checkSchema(options.schema)
  return Object.freeze({ connection, schema, poolSize, listen, migrate, timeoutMs, mayLoseOnPowerFailure })
}

/** @throws DefinitionError `OPTION_INVALID` */
export function checkSchema(schema: string = schemaDefault): string {
  const fits = typeof schema === 'string' && schema !== '' && Buffer.byteLength(schema) <= schemaBytesMax
  if (!fits || /[\0$'\\]/.test(schema) || schema.startsWith('pg_') || !schema.isWellFormed()) {
    refuseOption('schema', `a name of 1 to ${schemaBytesMax} bytes, without $, ' and \\, and not pg_...`, schema)
  }
  return schema
}

const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
