/** The vocabulary: everything that a domain is described with. */
export {
  type Aggregate,
  type AggregateOptions,
  type AnyAggregate,
  aggregate,
  type Command,
  type Commands,
  type Decision,
  type EventsOf,
  type Fold,
  type Foreign,
  type Moment,
  type Verdict,
} from './aggregate.ts'
export { type ClaimState, claims } from './claims.ts'
export {
  type AnyCodeProjection,
  type CodeProjection,
  type HandlerTools,
  type ProjectionName,
  projection,
} from './code-projection.ts'
export type {
  AcceptedBy,
  CommandBy,
  CommandNameIn,
  CommandOf,
  CommandOptions,
  CommandTo,
  CommandWithoutData,
  Named,
  NameIn,
  RejectedBy,
} from './command.ts'
export { CommandRejected } from './command-rejected.ts'
export {
  CancelledError,
  ConflictError,
  DecisionError,
  DefinitionError,
  EventError,
  HttpError,
  hasCode,
  InputError,
  LoadError,
  MnemeError,
  OutcomeUnknownError,
  OverloadError,
  ProjectionError,
  StoreError,
  TenantError,
} from './error.ts'
export type { ErrorCode, FactsOf } from './error-catalogue.ts'
export {
  type AnyEventKind,
  type Args,
  type DataOf,
  type EventKind,
  type EventOf,
  event,
  type Family,
  type NewEvent,
  type NewEventOf,
  type Parsed,
  type RecordedEvent,
  type Revision,
} from './event.ts'
export type { FailurePolicy, GiveUp } from './failure-policy.ts'
export type { Json, JsonObject } from './json.ts'
export type { Accepted, Rejected } from './outcome.ts'
export { type Forgotten, forgotten, Personal } from './personal.ts'
export { type PersonalDeclaration, personal } from './personal-schema.ts'
export type { PersonalField, WithPersonal } from './personal-types.ts'
export type { AnyProjection, Projection, ProjectionShape, RowOf } from './projection.ts'
export {
  type AnyReaction,
  type Beginning,
  type Due,
  type EventHandler,
  type Reaction,
  type ReactionOptions,
  type ReactionTools,
  reaction,
  type ScheduleOptions,
  type Step,
  type StepOptions,
  type StepTools,
} from './reaction.ts'
export { type AnyRejection, Rejection, reject } from './rejection.ts'
export type { In, Issue, Out, Schema } from './schema.ts'
export { type SqlPart, type SqlStatement, type SqlTag, type SqlValue, sql } from './sql-statement.ts'
export type { SqlQuery, SqlReading, SqlReadingOptions, SqlTransaction } from './sql-transaction.ts'
export type { StandardSchemaV1 } from './standard-schema.ts'
export type { StreamId } from './stream.ts'
