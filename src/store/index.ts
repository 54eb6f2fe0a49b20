/** The port: what a store promises, for those who use one directly and those who write one. */
export {
  type Commit,
  type CommitEvent,
  commit,
  type Expected,
  type OfferedCommit,
  type OfferedEvent,
} from './commit.ts'
export { type FoldAllOptions, type FoldOptions, fold, foldAll } from './fold.ts'
export {
  advance,
  contains,
  difference,
  equals,
  everything,
  intersection,
  isBelow,
  isEmpty,
  overlaps,
  type Range,
  range,
} from './range.ts'
export type {
  AppendResult,
  EventStore,
  Lease,
  LeaseStore,
  OpenOptions,
  Page,
  ProjectionStep,
  ProjectionStore,
  ReadAllOptions,
  ReadOptions,
  Receipt,
  Row,
  Snapshot,
  SnapshotStore,
  Store,
  StoredEvent,
  StoreFactory,
  StoreLimits,
  StoreWarning,
} from './store.ts'
