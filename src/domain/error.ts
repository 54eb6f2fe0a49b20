/**
 * Every error that Mneme throws. The class says what kind of problem it is, and `code` says exactly which one. Match
 * errors by their code, never by their message. The texts are in `error-catalogue.ts`.
 */
import { brand } from './brand.ts'
import { catalogue, type ErrorCode, type FactsOf, messageOf } from './error-catalogue.ts'

/** The base class of all errors: `if (error instanceof MnemeError && error.retryable) ...` */
export class MnemeError<Code extends ErrorCode = ErrorCode> extends Error {
  static {
    brand(MnemeError, 'MnemeError')
  }

  override readonly name: string = 'MnemeError'
  /** Stable and documented in docs/errors.md. */
  readonly code: Code
  /** Whether the same call may succeed later, without a change. */
  readonly retryable: boolean
  /** The details, with types: ids, names, numbers. */
  readonly facts: FactsOf<Code>

  constructor(code: Code, facts: FactsOf<Code>, cause?: unknown) {
    super(messageOf(code, facts, cause), cause === undefined ? undefined : { cause })
    this.code = code
    this.facts = facts
    this.retryable = catalogue[code].retryable && passes(code, cause)
  }

  /** For `JSON.stringify`: everything except the stack. */
  toJSON(): Record<string, unknown> {
    const { name, code, message, retryable, facts, cause } = this
    const why = cause instanceof Error && !('toJSON' in cause) ? `${cause.name}: ${cause.message}` : cause
    return { name, code, message, retryable, facts, ...(cause !== undefined && { cause: why }) }
  }
}

/**
 * Whether a failure may pass, by its cause. A load that meets a newer event, or one of an undeclared kind, fails for as
 * long as this program runs. A tenant is as its store.
 */
function passes(code: ErrorCode, cause: unknown): boolean {
  if (!(cause instanceof MnemeError)) return true
  if (code === 'TENANT_NOT_OPENED') return cause.retryable
  return code !== 'AGGREGATE_LOAD_FAILED' || !lasting.has(cause.code)
}
const lasting: ReadonlySet<ErrorCode> = new Set(['EVENT_NEWER', 'EVENT_UNDECLARED', 'PERSONAL_TOO_NEW'])

type DefinitionCode =
  | 'DEFINITION_INVALID'
  | 'NAME_RESERVED'
  | 'SCHEMA_ASYNC'
  | 'OPTION_INVALID'
  | 'RUNTIME_UNSUPPORTED'
  | 'PERSONAL_READ'

/** A definition, an option or the platform cannot work. Thrown where it is written, before anything runs. */
export class DefinitionError<Code extends DefinitionCode = DefinitionCode> extends MnemeError<Code> {
  static {
    brand(DefinitionError, 'DefinitionError')
  }

  override readonly name = 'DefinitionError'
}

type InputCode =
  | 'AGGREGATE_UNKNOWN'
  | 'COMMAND_UNKNOWN'
  | 'COMMAND_MALFORMED'
  | 'COMMAND_INVALID'
  | 'COMMAND_TOO_LARGE'
  | 'CURSOR_INVALID'
  | 'ID_INVALID'
  | 'DATA_NOT_JSON'
  | 'COMMAND_ID_REUSED'
  | 'PERSONAL_PLAIN'
  | 'COMMIT_EMPTY'
  | 'COMMIT_TOO_LARGE'
  | 'RANGE_INVALID'
  | 'SQL_INVALID'

/** The input of a caller is not acceptable. Nothing was decided or stored. */
export class InputError<Code extends InputCode = InputCode> extends MnemeError<Code> {
  static {
    brand(InputError, 'InputError')
  }

  override readonly name = 'InputError'
}

type EventCode =
  | 'EVENT_INVALID'
  | 'SCHEMA_UNSTABLE'
  | 'EVENT_UNDECLARED'
  | 'EVENT_NEWER'
  | 'EVENT_UPCAST_FAILED'
  | 'EVENT_UNREADABLE'

/** An event does not match its definition. On a write, nothing was stored. On a read, the event is not understood. */
export class EventError<Code extends EventCode = EventCode> extends MnemeError<Code> {
  static {
    brand(EventError, 'EventError')
  }

  override readonly name = 'EventError'
}

type DecisionCode = 'DECIDE_FAILED' | 'EVOLVE_FAILED' | 'VERDICT_INVALID'

/** `decide` or `evolve` broke its rules. The command stored nothing, and no other command is affected. */
export class DecisionError<Code extends DecisionCode = DecisionCode> extends MnemeError<Code> {
  static {
    brand(DecisionError, 'DecisionError')
  }

  override readonly name = 'DecisionError'
}

/**
 * An aggregate cannot be loaded from its events. Its commands fail until the cause is fixed. Other aggregates are not
 * affected.
 */
export class LoadError<Code extends 'AGGREGATE_LOAD_FAILED' = 'AGGREGATE_LOAD_FAILED'> extends MnemeError<Code> {
  static {
    brand(LoadError, 'LoadError')
  }

  override readonly name = 'LoadError'
}

type ConflictCode = 'CONFLICT' | 'SEQUENCE_UNEXPECTED' | 'CHECKPOINT_CONFLICT'

/** Other writers wrote to the same stream or checkpoint. Nothing was stored. */
export class ConflictError<Code extends ConflictCode = ConflictCode> extends MnemeError<Code> {
  static {
    brand(ConflictError, 'ConflictError')
  }

  override readonly name = 'ConflictError'
}

/** A queue has reached its limit. Nothing was done. */
export class OverloadError<Code extends 'OVERLOADED' = 'OVERLOADED'> extends MnemeError<Code> {
  static {
    brand(OverloadError, 'OverloadError')
  }

  override readonly name = 'OverloadError'
}

/** It is unknown whether the command was stored. To find out, repeat it with the same command id: that is safe. */
export class OutcomeUnknownError<Code extends 'OUTCOME_UNKNOWN' = 'OUTCOME_UNKNOWN'> extends MnemeError<Code> {
  static {
    brand(OutcomeUnknownError, 'OutcomeUnknownError')
  }

  override readonly name = 'OutcomeUnknownError'
}

/** The caller gave up, or the domain was stopped, before the command was decided. Nothing was stored. */
export class CancelledError<Code extends 'ABORTED' | 'STOPPED' = 'ABORTED' | 'STOPPED'> extends MnemeError<Code> {
  static {
    brand(CancelledError, 'CancelledError')
  }

  override readonly name = 'CancelledError'
}

type ClusterCode =
  | 'OWNER_UNREACHABLE'
  | 'ADDRESS_UNAVAILABLE'
  | 'SECRET_DIFFERS'
  | 'PROCESS_NOT_STARTED'
  | 'PROCESSES_FAILING'

/** The members of a cluster cannot reach each other, or this process cannot become one. Nothing was stored. */
export class ClusterError<Code extends ClusterCode = ClusterCode> extends MnemeError<Code> {
  static {
    brand(ClusterError, 'ClusterError')
  }

  override readonly name = 'ClusterError'
}

type StoreCode =
  | 'STORE_UNAVAILABLE'
  | 'STORE_FULL'
  | 'NOT_STORED'
  | 'STORE_HALTED'
  | 'STORE_READ_ONLY'
  | 'STORE_LOCKED'
  | 'STORE_CORRUPT'
  | 'LOG_UNFINISHED'
  | 'LOG_REPLACED'
  | 'STORE_TOO_NEW'
  | 'STORE_TOO_OLD'
  | 'STORE_NAMES_TAKEN'
  | 'STORE_CLOSED'
  | 'KEY_MISSING'
  | 'KEYS_UNCONFIRMED'
  | 'KEYS_REPLACED'
  | 'PERSONAL_TOO_NEW'
  | 'STORE_NOT_MIGRATED'
  | 'DRIVER_MISSING'
  | 'SQL_FAILED'
  | 'TRANSACTION_TOO_LONG'
  | 'READ_TOO_LONG'
  | 'RESULT_TOO_LARGE'

/** A store cannot be opened, read or written. */
export class StoreError<Code extends StoreCode = StoreCode> extends MnemeError<Code> {
  static {
    brand(StoreError, 'StoreError')
  }

  override readonly name = 'StoreError'
}

type ProjectionCode =
  | 'PROJECTION_FAILED'
  | 'PROJECTION_BEHIND'
  | 'PROJECTION_PAUSED'
  | 'TIMER_UNKNOWN'
  | 'PROJECTION_UNPREPARED'
  | 'PROJECTION_OUTDATED'
  | 'PROJECTION_CHANGED'
  | 'PROJECTION_ELSEWHERE'
  | 'PROJECTION_UNKNOWN'
  | 'REBUILD_RUNNING'
  | 'REBUILD_IMPOSSIBLE'
  | 'TRANSACTION_MISSING'
  | 'SQL_MISSING'
  | 'HANDLER_OVER'
  | 'STEP_TIMED_OUT'
  | 'PARKED_UNKNOWN'

/** A projection has stopped, has not reached a position in time, or cannot do what was asked. */
export class ProjectionError<Code extends ProjectionCode = ProjectionCode> extends MnemeError<Code> {
  static {
    brand(ProjectionError, 'ProjectionError')
  }

  override readonly name = 'ProjectionError'
}

type TenantCode = 'TENANT_NOT_OPENED' | 'TENANTS_BUSY'

/** The domain of a tenant cannot be opened now. Nothing was done. Other tenants are not affected. */
export class TenantError<Code extends TenantCode = TenantCode> extends MnemeError<Code> {
  static {
    brand(TenantError, 'TenantError')
  }

  override readonly name = 'TenantError'
}

type HttpCode =
  | 'REQUEST_MALFORMED'
  | 'ROUTE_UNKNOWN'
  | 'ROW_UNKNOWN'
  | 'METHOD_NOT_ALLOWED'
  | 'CONTENT_UNSUPPORTED'
  | 'BODY_TOO_LARGE'
  | 'BODY_TOO_SLOW'
  | 'REQUEST_FORBIDDEN'
  | 'ORIGIN_FORBIDDEN'
  | 'HOST_FORBIDDEN'
  | 'REQUEST_TIMED_OUT'

/** A request over HTTP cannot be answered as it was sent. It had no effect. */
export class HttpError<Code extends HttpCode = HttpCode> extends MnemeError<Code> {
  static {
    brand(HttpError, 'HttpError')
  }

  override readonly name = 'HttpError'
}

/** Whether something is an error of Mneme with this code. It narrows the type, so that the facts have types too. */
export function hasCode<const Code extends ErrorCode>(error: unknown, code: Code): error is MnemeError<Code> {
  return error instanceof MnemeError && error.code === code
}
