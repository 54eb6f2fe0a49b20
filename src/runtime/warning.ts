/** Warnings: useful to know, but not an error. Each has a code that docs/errors.md explains. */
/** A warning of a store. */
export interface StoreWarning {
  readonly code: 'TORN_TAIL_CUT' | 'INDEX_REBUILT' | 'LOCK_TAKEN_OVER' | 'DURABILITY_WEAKENED' | 'NOT_LISTENING'
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
    | 'TENANT_NOT_STOPPED'
    | 'TENANT_NOT_WOKEN'
    | 'MEMBER_REMOVED'
  readonly message: string
  readonly cause?: unknown
}

export type Warning = KernelWarning | StoreWarning

/** Receives warnings. Must not throw. */
export type Warn = (warning: Warning) => void
