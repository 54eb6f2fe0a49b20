/**
 * What each stepper tells its bookmark of itself: where its rows are, what it knows of them, and what it leaves under
 * way.
 */
import type { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { EventStore, ProjectionStore, Row } from '../../store/store.ts'
import type { Recognition } from './recognition.ts'
import type { StepperContext } from './step.ts'

/** Where checkpoint and rows are. It may change while a projection runs. */
export interface RowLocation {
  readonly live: { readonly storage: string }
  /** Finds out. */
  load(): Promise<void>
  /** Told that the rows do not serve any more; throws if there are no others. */
  onRetired?(): void
  /** Whether the rows are of an older revision, and are to be replaced. */
  readonly isBehind?: boolean
}

/** What is known of rows beside a checkpoint. */
export interface KnownRows {
  /** Forgets all, and reads what is stored: now, or when it is wanted. */
  load(store: ProjectionStore, storage: string, breath: Breath): Promise<void> | void
  /** Takes over rows that were saved; passes over those that are of other kinds. */
  apply(rows: readonly Row[]): void
  /** What is worth nothing any more once the event at a position is handled, or let go. */
  handled?(position: number): readonly Row[]
}

export interface BookmarkOptions {
  /** What the projection or reaction is called, and is stored under if it has no location that says otherwise. */
  readonly name: string
  readonly store: EventStore & ProjectionStore
  readonly environment: Environment
  readonly lead: StepperContext
  readonly location?: RowLocation
  readonly recognition: Recognition
  /** Which rows belong to what was handled up to a position, by their keys; a reset may keep those. */
  readonly isKept: (key: string, position: number) => boolean
  /** What it keeps besides what is parked. */
  readonly rows?: KnownRows
  readonly underWay?: UnderWay
}

/** What steps leave under way. */
export interface UnderWay {
  /** Saves what came of it so far; gives false if another runner was faster. */
  save(): Promise<boolean>
  /** Waits for it, and saves what came of it; gives false if another runner was faster. */
  finish(): Promise<boolean>
  /** Lets it have no effect any more, whenever it ends. */
  cut(): void
  /** Ends it; what comes of it is not saved. */
  giveUp(): Promise<void>
}
