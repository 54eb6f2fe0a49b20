/**
 * Whose failure it is when something fails below a projection or a reaction. Only what is known to be the store's, or
 * the domain's, is waited for however long it lasts; everything else is the event's, and the policy says what becomes
 * of that.
 */
import { CancelledError, hasCode, MnemeError, ProjectionError } from '../../domain/error.ts'
import type { ErrorCode } from '../../domain/error-catalogue.ts'
import type { ProjectionStore } from '../../store/store.ts'
import type { WaitingTimer } from '../stored/timer-row.ts'

/** Another runner has taken over: who was overtaken must not go on. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken'
}

/** A scheduled command that is left to a newer program; the cause says why this one does not send it. */
export class LeftToNewer extends Error {
  override readonly name = 'LeftToNewer'
  readonly timer: WaitingTimer
  /** Whether only a newer program can send it; else this one says after a while what becomes of it. */
  readonly isCertain: boolean

  constructor(timer: WaitingTimer, cause: unknown, isCertain: boolean) {
    super('a newer program may send it', { cause })
    this.timer = timer
    this.isCertain = isCertain
  }
}

/** Failures of a store; what its SQL or its transactions refuse is not among them. */
const ofStores: ReadonlySet<ErrorCode> = new Set([
  ...(['STORE_UNAVAILABLE', 'NOT_STORED', 'STORE_FULL', 'STORE_READ_ONLY', 'STORE_LOCKED', 'STORE_CLOSED'] as const),
  ...(['STORE_CORRUPT', 'STORE_HALTED', 'STORE_TOO_NEW', 'STORE_NOT_MIGRATED', 'LOG_REPLACED'] as const),
])
/** Failures that pass by themselves, and of which no handler is guilty. */
const passing: ReadonlySet<ErrorCode> = new Set([
  ...([
    'STORE_UNAVAILABLE',
    'NOT_STORED',
    'STORE_FULL',
    'STORE_LOCKED',
    'OUTCOME_UNKNOWN',
    'OVERLOADED',
    'CONFLICT',
  ] as const),
])

/** Whether an error is known to be the store's. */
export const isOfStore = (error: unknown): boolean => error instanceof MnemeError && ofStores.has(error.code)

/** Whether the store, the way to it, or a domain under load failed: that is waited for, however long it lasts. */
export function isOutage(error: unknown): boolean {
  if (hasCode(error, 'AGGREGATE_LOAD_FAILED')) return isOutage(error.cause)
  return error instanceof MnemeError && passing.has(error.code)
}

/** Causes of causes that are looked at: more than anybody has. */
const causesMax = 20

/**
 * Whether an event, or an aggregate's, is newer than this program: that is for a newer one to handle. So is one of a
 * kind that this program does not declare: a newer one may have stored it. What a handler throws because of that means
 * the same.
 */
export function isNewer(error: unknown): boolean {
  let each = error
  for (let depth = 0; each instanceof Error && depth < causesMax; depth++) {
    if (hasCode(each, 'EVENT_NEWER') || each instanceof LeftToNewer) return true
    // One that is not stored was decided here, which is a fault of this program.
    if (hasCode(each, 'EVENT_UNDECLARED')) return each.facts.sequence !== undefined
    each = each.cause
  }
  return false
}

/** Whether an error only means that the event is to be handled later, or by another. */
export const isForLater = (error: unknown): boolean =>
  error instanceof Overtaken || (error instanceof CancelledError && error.code === 'STOPPED')

/** What says that a command is none of this program's, or is not as this program expects it. */
const unfit: ReadonlySet<ErrorCode> = new Set([
  ...(['AGGREGATE_UNKNOWN', 'COMMAND_UNKNOWN', 'COMMAND_MALFORMED', 'COMMAND_INVALID'] as const),
])

/** Whether a command that was stored does not fit this program: a newer one may have scheduled it, or an older one. */
export const isUnfit = (error: unknown): boolean => error instanceof MnemeError && unfit.has(error.code)

/** Whether it does not pass by itself, so that a run ends. */
export const isFinal = (error: unknown): error is MnemeError =>
  (error instanceof ProjectionError && !error.retryable) || hasCode(error, 'LOG_REPLACED')

/** A failure that does not pass by itself is an answer; others are thrown. */
export function givenIfFinal(error: unknown): MnemeError {
  if (isFinal(error)) return error
  throw error
}

/**
 * Whether what this program leaves to a newer one is still there, as far as can be told from what is stored under a
 * name.
 */
export async function isStillLeft(left: unknown, store: ProjectionStore, name: string): Promise<boolean> {
  if (!(left instanceof LeftToNewer)) return true
  return left.isCertain && (await store.loadRows(name, [left.timer.key]))[0] !== undefined
}
