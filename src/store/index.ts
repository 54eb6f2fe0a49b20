/** The port: what a store promises, for those who use one directly and those who write one. */

export type { StoreWarning } from '../runtime/warning.ts'
export { checkedFactory } from './checked-store.ts'
export {
  type CommandMark,
  type Commit,
  type CommitEvent,
  commit,
  type Expected,
  type OfferedCommit,
  type OfferedEvent,
} from './commit.ts'
export { type FoldAllOptions, type FoldOptions, fold, foldAll } from './fold.ts'
export { type PlaceInCommit, placesInCommits } from './places-in-commits.ts'
export { everything, type Range, range } from './range.ts'
export type {
  AppendOptions,
  AppendResult,
  Checkpoint,
  CheckpointPlace,
  Condition,
  EventStore,
  Lease,
  LeaseStore,
  LogPlace,
  OpenOptions,
  Page,
  ProjectionStep,
  ProjectionStore,
  ReadAllOptions,
  ReadOptions,
  Receipt,
  Row,
  RowPage,
  RowQuery,
  RowsWithCheckpoint,
  Snapshot,
  SnapshotStore,
  SqlTransaction,
  SqlValue,
  Store,
  StoredEvent,
  StoreFactory,
  StoreLimits,
  StreamEnd,
} from './store.ts'
export type { StreamList, StreamQuery } from './stream-list.ts'
export { readStreamPage, type StreamPage } from './stream-page.ts'
