/** What a stepper tells its bookmark: where its rows are, what it knows of them, and its work in progress. */
import type { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { EventStore, ProjectionStore, Row } from '../../store/store.ts'
import type { Index } from '../stored/index-entries.ts'
import type { Recognition } from './recognition.ts'
import type { StepperContext } from './step.ts'

/** Where the checkpoint and the rows are stored. It may change while a projection runs. */
export interface RowLocation {
  readonly live: { readonly storage: string }
  /** Reads where they are now. */
  load(): Promise<void>
  /** Called when the live rows turn out to be retired. Throws if there are no other rows. */
  onRetired?(): void
  /** Whether the rows are of an older revision and have to be rebuilt. */
  readonly isBehind?: boolean
}

/** What is in memory of the rows beside a checkpoint. */
export interface KnownRows {
  /**
   * Drops everything, and reads the stored rows, now or when they are needed.
   *
   * @param indexes the indexes of the stored rows
   */
  load(store: ProjectionStore, storage: string, breath: Breath, indexes: readonly Index[]): Promise<void> | void
  /** Applies rows that were saved. Ignores rows of other kinds. */
  apply(rows: readonly Row[]): void
  /** The rows to delete when the event at a position is handled or skipped. */
  handled?(position: number): readonly Row[]
}

export interface BookmarkOptions {
  /** The name of the projection or reaction. Without a location it is also the storage name. */
  readonly name: string
  readonly store: EventStore & ProjectionStore
  readonly environment: Environment
  readonly lead: StepperContext
  readonly location?: RowLocation
  readonly recognition: Recognition
  /** Whether a row belongs to an event up to a position. A reset may keep such rows. */
  readonly isKept: (row: Row, position: number) => boolean
  /** The indexes that new rows get. */
  readonly indexes?: readonly Index[]
  /** The rows that it keeps in memory, besides parked events. */
  readonly rows?: KnownRows
  readonly underWay?: UnderWay
}

/** Work that is still in progress after a step. */
export interface UnderWay {
  /** Saves the results so far. Returns false if this runner was overtaken. */
  save(): Promise<boolean>
  /** Waits for it, and saves the results. Returns false if this runner was overtaken. */
  finish(): Promise<boolean>
  /** From now on, its results are ignored. */
  cut(): void
  /** Ends it without saving its results. */
  giveUp(): Promise<void>
}
