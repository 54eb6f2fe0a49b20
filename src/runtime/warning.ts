/** Warnings: useful to know, but not an error. Each has a code that docs/errors.md explains, and a level. */
import type { StreamId } from '../domain/stream.ts'

/** A warning of a store. */
export interface StoreWarning {
  readonly code:
    | 'TORN_TAIL_CUT'
    | 'INDEX_REBUILT'
    | 'LOCK_TAKEN_OVER'
    | 'DURABILITY_WEAKENED'
    | 'QUOTA_NOT_RESERVED'
    | 'NOT_LISTENING'
    | 'STORE_SLOW'
  readonly message: string
}

/** A warning of the kernel, the projections or the domain. */
export interface KernelWarning {
  readonly code:
    | 'SNAPSHOT_FAILED'
    | 'SNAPSHOT_IGNORED'
    | 'SNAPSHOT_SKIPPED'
    | 'AGGREGATE_NOT_LOADED'
    | 'APPEND_REPEATED'
    | 'AGGREGATE_RESET'
    | 'STORE_NOT_CLOSED'
    | 'PROJECTION_STOPPED'
    | 'PROJECTION_DELAYED'
    | 'PROJECTION_STOOD_BACK'
    | 'PROJECTION_DIFFERS'
    | 'PROJECTION_RETRIED'
    | 'PROJECTION_SKIPPED'
    | 'PROJECTION_PARKED'
    | 'REACTION_RETRIED'
    | 'REACTION_SKIPPED'
    | 'REACTION_PARKED'
    | 'REACTION_PASSED_OVER'
    | 'REACTION_COMMAND_REFUSED'
    | 'OBSERVER_FAILED'
    | 'TENANT_NOT_STOPPED'
    | 'TENANT_NOT_WOKEN'
    | 'MEMBER_REMOVED'
    | 'PROCESS_REPLACED'
    | 'SINGLETON_FAILED'
  readonly message: string
  readonly cause?: unknown
  /** The aggregate instance that it is about. */
  readonly stream?: StreamId
  /** The projection or reaction that it is about, as `projection balances` or `reaction payments`. */
  readonly follower?: string
}

/** A warning of the service over HTTP. */
export interface HttpWarning {
  readonly code: 'REQUEST_FAILED'
  readonly message: string
  readonly cause: unknown
}

export type Warning = (KernelWarning | StoreWarning | HttpWarning) & {
  /** How many others of its kind came since the last one that was told, and are not shown. */
  readonly others?: number
}

/**
 * How much a warning matters. `info`: all is well, and somebody may want to know. `warn`: somebody should look at it.
 * `error`: something does not work, or has been left out.
 */
export type Level = 'info' | 'warn' | 'error'

const levels: Readonly<Partial<Record<Warning['code'], Level>>> = {
  INDEX_REBUILT: 'info',
  LOCK_TAKEN_OVER: 'info',
  SNAPSHOT_IGNORED: 'info',
  SNAPSHOT_SKIPPED: 'info',
  PROJECTION_STOOD_BACK: 'info',
  REACTION_PASSED_OVER: 'info',
  AGGREGATE_NOT_LOADED: 'error',
  AGGREGATE_RESET: 'error',
  REQUEST_FAILED: 'error',
  PROJECTION_STOPPED: 'error',
  PROJECTION_SKIPPED: 'error',
  REACTION_SKIPPED: 'error',
  STORE_NOT_CLOSED: 'error',
  TENANT_NOT_STOPPED: 'error',
}

export const levelOf = (code: Warning['code']): Level => levels[code] ?? 'warn'

/** Receives warnings. Must not throw. */
export type Warn = (warning: Warning) => void
