/** Mneme: event sourcing for TypeScript, with aggregates that run as actors. */
export * from './application/index.ts'
export type { Direction, FieldOf, OrderBy } from './domain/field-path.ts'
export * from './domain/index.ts'
export type { KernelLimits } from './kernel/limits.ts'
export type { RetryOptions, RetryResult } from './projection/checkpoint/step.ts'
export type { ReadTablesOptions } from './projection/code/table-reader.ts'
export type { StreamPlace, StreamSubscriptionOptions } from './projection/log/stream-subscription.ts'
export type { SubscriptionOptions } from './projection/log/subscription.ts'
export type { ScheduledCommand, TimersOptions, TimersPage } from './projection/reactions/scheduled-commands.ts'
export type { Waiting, WaitingOptions, WaitingPage } from './projection/reactions/waiting.ts'
export type {
  Comparison,
  Filter,
  Found,
  FoundPage,
  Query,
  Where,
} from './projection/reading/query.ts'
export type { RowComparison, RowDifference } from './projection/rebuilding/compare-rows.ts'
export type { CompareOptions } from './projection/rebuilding/rebuild.ts'
export type { Job, Progress, ProgressOptions, ProgressWatch } from './projection/running/progress.ts'
export type { ProjectionState, ProjectionStatus, RunResult, WaitOptions } from './projection/running/status.ts'
export type { ParkedEvent } from './projection/stored/parked-events.ts'
export type { Environment } from './runtime/environment.ts'
export type {
  BatchEnded,
  BatchStarted,
  CommandEnded,
  CommandStarted,
  ConflictFound,
  DecisionMade,
  Departing,
  ForwardEnded,
  ForwardStarted,
  LoadEnded,
  LoadStarted,
  Observation,
  Observe,
  Observer,
  Passivated,
  ReactionEnded,
  ReactionStarted,
  RebuildEnded,
  RebuildStarted,
  RetryPlanned,
  SnapshotEnded,
  SnapshotStarted,
  StepEnded,
  StepStarted,
  TimerEnded,
  TimerStarted,
  WarningGiven,
} from './runtime/observation.ts'
export * from './store/index.ts'
export { memory } from './store/memory/index.ts'
