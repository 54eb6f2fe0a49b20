/**
 * Failures of the database, and the catalogue's errors for them. This is the only file that knows PostgreSQL's
 * SQLSTATEs. If the server reports an error, it has rolled the transaction back, so it is certain that nothing was
 * stored. If a connection breaks or a server is told to stop, that is not certain.
 */
import { DefinitionError, StoreError } from '../../../domain/error.ts'
import { wrongIsolation } from './writing.ts'

const states = {
  readOnly: '25006',
  serializationFailure: '40001',
  deadlock: '40P01',
  noPrivilege: '42501',
  idleTooLong: '25P03',
  transactionTooLong: '25P04',
  lockNotAvailable: '55P03',
  uniqueViolation: '23505',
  unknownStatement: '26000',
  statementTaken: '42P05',
  diskFull: '53100',
  limitExceeded: '54000',
} as const

/** A schema, table, function or column that is missing or different; data that cannot be read. */
const damageStates: ReadonlySet<string> = new Set([
  ...['3F000', '42P01', '42703', '42704', '42883', '42804'],
  ...['XX001', 'XX002', '22P02', '22P05'],
])

/** The connection broke before there was an answer, or could not be made. */
export class Lost extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message || cause.name : String(cause), { cause })
  }
}

/** There was no answer in time. The connection is given up. */
export class TimedOut extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`)
  }
}

/** The SQLSTATE of an error that the server has reported, or `undefined` for any other error. */
export function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error)) return undefined
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}

/** Whether the server gave the transaction up in favour of another one. A repetition can succeed at once. */
export const isClash = (error: unknown): boolean =>
  [states.serializationFailure, states.deadlock].some((state) => state === stateOf(error))

/** Whether a commit id or a position already existed. */
export const isDouble = (error: unknown): boolean => stateOf(error) === states.uniqueViolation

/** Whether something in the server is full, such as its queue of notifications. */
export const isFull = (error: unknown): boolean => stateOf(error) === states.limitExceeded

/** Whether the wait for a lock reached its limit. */
export const isLockTimeout = (error: unknown): boolean => stateOf(error) === states.lockNotAvailable

/** Whether a transaction began at another isolation level than the functions need. */
export const isWrongIsolation = (error: unknown): boolean => stateOf(error) === wrongIsolation

/** Whether a statement tried to write where that is not allowed. */
export const isReadOnly = (error: unknown): boolean => stateOf(error) === states.readOnly

/** Whether the role has no right to do that. */
export const isNotPermitted = (error: unknown): boolean => stateOf(error) === states.noPrivilege

/** Whether a standby could have caused the error: it takes no writes, and may lack what is on the primary. */
export const isAsOfStandby = (error: unknown): boolean => isReadOnly(error) || damageStates.has(stateOf(error) ?? '')

/** Whether nothing was done because the session has no statement of this name, or another client has prepared one. */
export const isNotPrepared = (error: unknown): boolean =>
  [states.unknownStatement, states.statementTaken].some((state) => state === stateOf(error))

/**
 * Whether the server is going, or has no connection for us. A statement with another number of values than it takes has
 * such a state too, but it harms only itself.
 */
function isOfConnection(error: unknown): boolean {
  const { routine } = (error ?? {}) as { readonly routine?: unknown }
  return /^(08|57P)/.test(stateOf(error) ?? '') && routine !== 'exec_bind_message'
}

/** Whether the server ended a transaction because it was idle or took too long. */
export const isTooLong = (error: unknown): boolean =>
  [states.idleTooLong, states.transactionTooLong].some((state) => state === stateOf(error))

/**
 * Whether a failure during a handler's work is known to come from the store: the connection broke, or the server is
 * stopping, or its disk is full or broken. Every other failure of a statement comes from the statement or from the data
 * it finds, so it is the handler's.
 */
export function isOfStore(error: unknown): boolean {
  if (error instanceof Lost || error instanceof TimedOut) return true
  const state = stateOf(error)
  return isOfConnection(error) || (state !== undefined && /^(58|53100|53300|XX00[12])/.test(state))
}

/**
 * Whether a connection is no longer usable after an error: it broke, or the server is stopping or cannot be written to.
 */
export function breaksConnection(error: unknown): boolean {
  if (error instanceof Lost || error instanceof TimedOut) return true
  return isOfConnection(error) || stateOf(error) === states.readOnly || isTooLong(error)
}

/** Whether a connection broke before there was an answer. A time limit that ran out does not count. */
export const isLost = (error: unknown): boolean => error instanceof Lost || isOfConnection(error)

/** The name of the store in messages. */
export const storeNamed = (schema: string): string => `postgres (schema ${schema})`

/**
 * The catalogue's error for an error of the database or its driver. Every other error is returned unchanged. `doing`
 * completes "failed while ...".
 */
export function errorOf(schema: string, doing: string, error: unknown): unknown {
  const state = stateOf(error)
  if (state === undefined && !(error instanceof Lost || error instanceof TimedOut)) return error
  const store = storeNamed(schema)
  const cause =
    state === undefined ? error : new Error(`PostgreSQL: ${(error as Error).message} (${state})`, { cause: error })
  if (state === states.diskFull) return new StoreError('STORE_FULL', { store }, cause)
  if (state === states.readOnly || (state === states.noPrivilege && doing !== reading)) {
    return new StoreError('STORE_READ_ONLY', { store }, cause)
  }
  if (state !== undefined && damageStates.has(state)) {
    return new StoreError('STORE_CORRUPT', { store, where: 'its schema', reason: (error as Error).message }, cause)
  }
  return new StoreError('STORE_UNAVAILABLE', { store, doing }, cause)
}

/** The error for a statement in a caller's transaction. */
export function sqlFailure(schema: string, statement: unknown, because: unknown): StoreError {
  const reason = because instanceof Error ? because.message : String(because)
  return new StoreError('SQL_FAILED', { store: storeNamed(schema), statement: String(statement), reason })
}

/** The word for calls that do not write. */
export const reading = 'reading'

/** The error for tables that cannot be used. */
export const damaged = (schema: string, reason: string): StoreError =>
  new StoreError('STORE_CORRUPT', { store: storeNamed(schema), where: 'its schema', reason })

/** The error for something in the log that is damaged or missing. */
export const damagedAt = (schema: string, where: string, reason: string): StoreError =>
  new StoreError('STORE_CORRUPT', { store: storeNamed(schema), where, reason })

/** The error for options that do not fit the database. */
export const unfit = (option: string, expected: string, found: unknown): DefinitionError =>
  new DefinitionError('OPTION_INVALID', { option, expected, found })
