/**
 * Looking at a log and, if its code is given, at the domain behind it: what the command line and the studio share.
 *
 * - `openInspection`: opens a store once, and runs the domain's aggregates on it when they are needed
 * - `readEventsPage`, `readEvents`: bounded reading of the log or of one stream, both ways, filtered
 * - `shownEvent`, `shown`: events and values as JSON to look at
 * - `stateAt`, `stateSteps`: the state at a sequence or a time, and what each event changed
 * - `applied`: an event applied to a state as the library does it
 * - `changesBetween`: the places at which two states differ
 * - `traceCauses`: the tree of commands and events under a correlation
 * - `statusOf`: where a projection or reaction is
 * - `understood`: whether the code of the domain can read an event
 * - `jsonSchemaOf`: what a schema takes, as JSON Schema
 * - `fork`: a stream up to a sequence, in memory, for commands that are only tried and events that were different
 */

export { applied, initialState } from './applied.ts'
export { type CauseNode, type CauseTree, correlationOf, type TraceOptions, traceCauses } from './causes.ts'
export { type Change, type Changes, changesBetween, pathText } from './changes.ts'
export { positionBefore } from './command-place.ts'
export {
  type BeginningView,
  beginningOf,
  type FollowerKind,
  type FollowerStatus,
  statusOf,
} from './followers.ts'
export { type EventEdit, type Fork, type ForkOptions, fork } from './fork.ts'
export {
  type AnyDomain,
  type CommandData,
  domainOf,
  type Inspection,
  openInspection,
  type RunningDomain,
  type StateReading,
  type Target,
} from './inspection.ts'
export { jsonSchemaOf } from './json-schema.ts'
export { type EventQuery, type EventsPage, matches, readEvents, readEventsPage } from './reading.ts'
export { shown } from './shown.ts'
export { type ShownEvent, shownEvent } from './shown-event.ts'
export {
  readState,
  type StatePoint,
  type StateStep,
  type StateView,
  type StepsQuery,
  stateAt,
  stateSteps,
} from './states.ts'
export { understood } from './understood.ts'
