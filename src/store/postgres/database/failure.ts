/**
 * What can go wrong with the database, and the error of the catalogue that a caller gets for it. The only file that
 * knows PostgreSQL's SQLSTATEs. An error that the server reports has rolled the transaction back, so it is certain that
 * nothing was stored; of a connection that broke, or a server that was told to stop, nothing is.
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

/** A schema, table, function or column that is not there or not what it should be; data that cannot be read. */
const damageStates: ReadonlySet<string> = new Set([
  ...['3F000', '42P01', '42703', '42704', '42883', '42804'],
  ...['XX001', 'XX002', '22P02', '22P05'],
])

/** The connection broke, or could not be made, before there was an answer. */
export class Lost extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message || cause.name : String(cause), { cause })
  }
}

/** There was no answer in time; the connection is given up. */
export class TimedOut extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`)
  }
}

/** The SQLSTATE of an error that the server has reported; undefined for any other error. */
export function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error)) return undefined
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}

/** Whether the transaction was given up for another's sake: the same again can succeed at once. */
export const isClash = (error: unknown): boolean =>
  [states.serializationFailure, states.deadlock].some((state) => state === stateOf(error))

/** Whether a commit id or a position was there already. */
export const isDouble = (error: unknown): boolean => stateOf(error) === states.uniqueViolation

/** Whether something of the server's, such as its queue of notifications, has no room for more. */
export const isFull = (error: unknown): boolean => stateOf(error) === states.limitExceeded

/** Whether a lock was waited for as long as it may be. */
export const isLockTimeout = (error: unknown): boolean => stateOf(error) === states.lockNotAvailable

/** Whether a transaction began at another isolation than the functions stand on. */
export const isWrongIsolation = (error: unknown): boolean => stateOf(error) === wrongIsolation

/** Whether a statement would have written where nothing may be written. */
export const isReadOnly = (error: unknown): boolean => stateOf(error) === states.readOnly

/** Whether a standby would say so: it takes no writes, and may not have yet what is on the primary. */
export const isAsOfStandby = (error: unknown): boolean => isReadOnly(error) || damageStates.has(stateOf(error) ?? '')

/** Whether nothing was done, for the session has no statement of this name, or has had one from somebody else. */
export const isNotPrepared = (error: unknown): boolean =>
  [states.unknownStatement, states.statementTaken].some((state) => state === stateOf(error))

/** Whether the server ended a transaction in which nothing was asked for too long, or which took too long. */
export const isTooLong = (error: unknown): boolean =>
  [states.idleTooLong, states.transactionTooLong].some((state) => state === stateOf(error))

/**
 * Whether a failure in the midst of somebody's work is known to be the store's: the connection broke, the server is
 * stopping, its disk is full or broken. Every other failure of a statement comes from what the statement says or from
 * the data it finds: it is the work's own.
 */
export function isOfStore(error: unknown): boolean {
  if (error instanceof Lost || error instanceof TimedOut) return true
  const state = stateOf(error)
  return state !== undefined && /^(08|57P|58|53100|53300|XX00[12])/.test(state)
}

/**
 * Whether a connection is no longer good after an error: it broke, or leads to a server that stops or cannot be written
 * to.
 */
export function breaksConnection(error: unknown): boolean {
  if (error instanceof Lost || error instanceof TimedOut) return true
  const state = stateOf(error)
  return state !== undefined && (state === states.readOnly || isTooLong(error) || /^(08|57P)/.test(state))
}

/** Whether a connection broke before there was an answer; a time that ran out is not meant. */
export const isLost = (error: unknown): boolean => error instanceof Lost || /^(08|57P)/.test(stateOf(error) ?? '')

/** How messages call the store. */
export const storeNamed = (schema: string): string => `postgres (schema ${schema})`

/**
 * The catalogue's error for what the database or its driver has thrown; every other error is itself. `doing` completes
 * "failed while ...".
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

/** The error of a statement in a caller's transaction. */
export function sqlFailure(schema: string, statement: unknown, because: unknown): StoreError {
  const reason = because instanceof Error ? because.message : String(because)
  return new StoreError('SQL_FAILED', { store: storeNamed(schema), statement: String(statement), reason })
}

/** What a store does when it does not write. */
export const reading = 'reading'

/** The error of a database whose tables cannot be used as they are. */
export const damaged = (schema: string, reason: string): StoreError =>
  new StoreError('STORE_CORRUPT', { store: storeNamed(schema), where: 'its schema', reason })

/** The error of something in the log that is not what was stored, or is not there. */
export const damagedAt = (schema: string, where: string, reason: string): StoreError =>
  new StoreError('STORE_CORRUPT', { store: storeNamed(schema), where, reason })

/** The error of a database that the options do not fit. */
export const unfit = (option: string, expected: string, found: unknown): DefinitionError =>
  new DefinitionError('OPTION_INVALID', { option, expected, found })
