/**
 * Whose failure it is when something fails under a projection or a reaction. Only a failure that is known to come from
 * the store or the domain is waited for, however long it lasts. Every other failure counts as the event's, and the
 * failure policy decides what happens to the event.
 */
import { CancelledError, hasCode, MnemeError, ProjectionError } from '../../domain/error.ts'
import type { ErrorCode } from '../../domain/error-catalogue.ts'
import type { ProjectionStore } from '../../store/store.ts'
import type { WaitingTimer } from '../stored/timer-row.ts'

/** Another runner has taken over, so this one must stop. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken'
}

/** A scheduled command that is left to a newer program. The cause says why this program does not send it. */
export class LeftToNewer extends Error {
  override readonly name = 'LeftToNewer'
  readonly timer: WaitingTimer
  /** Whether only a newer program can send it. Otherwise this program decides after a while what happens to it. */
  readonly isCertain: boolean

  constructor(timer: WaitingTimer, cause: unknown, isCertain: boolean) {
    super('a newer program may send it', { cause })
    this.timer = timer
    this.isCertain = isCertain
  }
}

/** Failures of a store. Errors of the handler's own SQL or transaction are not among them. */
const ofStores: ReadonlySet<ErrorCode> = new Set([
  ...(['STORE_UNAVAILABLE', 'NOT_STORED', 'STORE_FULL', 'STORE_READ_ONLY', 'STORE_LOCKED', 'STORE_CLOSED'] as const),
  ...([
    'STORE_CORRUPT',
    'LOG_UNFINISHED',
    'STORE_HALTED',
    'STORE_TOO_NEW',
    'STORE_NOT_MIGRATED',
    'LOG_REPLACED',
  ] as const),
  ...(['KEY_MISSING', 'KEYS_UNCONFIRMED', 'KEYS_REPLACED', 'PERSONAL_TOO_NEW'] as const),
])
/** Failures that end without a change, and that are not the fault of a handler. */
const passing: ReadonlySet<ErrorCode> = new Set([
  ...([
    'STORE_UNAVAILABLE',
    'NOT_STORED',
    'STORE_FULL',
    'STORE_LOCKED',
    'LOG_UNFINISHED',
    'KEYS_UNCONFIRMED',
    'OUTCOME_UNKNOWN',
    'OVERLOADED',
    'OWNER_UNREACHABLE',
    'CONFLICT',
  ] as const),
])

/** Whether an error is known to come from the store. */
export const isOfStore = (error: unknown): boolean => error instanceof MnemeError && ofStores.has(error.code)

/**
 * Whether the store, the connection to it, or an overloaded domain failed. Such a failure is waited for, however long
 * it lasts.
 */
export function isOutage(error: unknown): boolean {
  if (hasCode(error, 'AGGREGATE_LOAD_FAILED')) return isOutage(error.cause)
  return error instanceof MnemeError && passing.has(error.code)
}

/** The depth to which causes are searched. Real errors have fewer. */
const causesMax = 20

/**
 * Whether an event, or one in the stream of an aggregate, is newer than this program, so that a newer program has to
 * handle it. This includes an event of a kind that this program does not declare, because a newer program may have
 * stored it. If a handler throws another error because of such an event, the result is the same.
 */
export function isNewer(error: unknown): boolean {
  let each = error
  for (let depth = 0; each instanceof Error && depth < causesMax; depth++) {
    if (hasCode(each, 'EVENT_NEWER') || hasCode(each, 'PERSONAL_TOO_NEW') || each instanceof LeftToNewer) return true
    // Without a sequence it is not stored: this program decided it, which is its own fault.
    if (hasCode(each, 'EVENT_UNDECLARED')) return each.facts.sequence !== undefined
    each = each.cause
  }
  return false
}

/** Whether an error only means that the event will be handled later, or by another process. */
export const isForLater = (error: unknown): boolean =>
  error instanceof Overtaken || (error instanceof CancelledError && error.code === 'STOPPED')

/** Errors for a command that this program does not know, or that has another form than it expects. */
const unfit: ReadonlySet<ErrorCode> = new Set([
  ...(['AGGREGATE_UNKNOWN', 'COMMAND_UNKNOWN', 'COMMAND_MALFORMED', 'COMMAND_INVALID'] as const),
])

/** Whether a stored command does not fit this program. A newer or an older program may have scheduled it. */
export const isUnfit = (error: unknown): boolean => error instanceof MnemeError && unfit.has(error.code)

/** Whether an error ends a run, because waiting does not help. A pause does not end it: somebody resumes it. */
export const isFinal = (error: unknown): error is MnemeError =>
  (error instanceof ProjectionError && !error.retryable && error.code !== 'PROJECTION_PAUSED') ||
  hasCode(error, 'LOG_REPLACED')

/** Returns an error that ends a run, and throws every other error. */
export function givenIfFinal(error: unknown): MnemeError {
  if (isFinal(error)) return error
  throw error
}

/**
 * Whether the work that this program leaves to a newer one is still there, as far as the stored rows of a name show.
 */
export async function isStillLeft(left: unknown, store: ProjectionStore, name: string): Promise<boolean> {
  if (!(left instanceof LeftToNewer)) return true
  return left.isCertain && (await store.loadRows(name, [left.timer.key]))[0] !== undefined
}
