/**
 * A stepper handles the log step by step; a runner drives it. There are steppers for rows, for code and for reactions.
 * The runner owns the bookmark and calls it for everything that is the same for all; a stepper only says how events are
 * handled.
 */
import type { ParkedEvent } from '../stored/parked-events.ts'
import type { Bookmark } from './bookmark.ts'
import type { StepResult } from './step.ts'

export interface Stepper {
  /** Its checkpoint, and what is in memory of the rows beside it. */
  readonly bookmark: Bookmark
  /** The number of parked events that are tried again at once. */
  readonly retrySize: number
  /**
   * The work before the log is followed. Every process does it, whether it runs the projection or not.
   *
   * @throws ProjectionError `PROJECTION_OUTDATED`, `PROJECTION_UNPREPARED`
   */
  prepare(signal: AbortSignal): Promise<void>
  /**
   * Handles the next events and saves the results, within a step of the bookmark. An aborted signal lets it end early.
   *
   * @returns `undefined` if this runner was overtaken
   * @throws ProjectionError if an event cannot be handled; EventError `EVENT_NEWER` if it is newer than this program.
   *   The checkpoint is then before that event.
   */
  step(signal: AbortSignal): Promise<StepResult | undefined>
  /**
   * Tries parked events again, and saves the results. An event that fails stays parked. An aborted signal lets it end
   * early.
   *
   * @param blocks whether an event that failed before them has a key
   * @returns false if this runner was overtaken
   */
  retry(parked: readonly ParkedEvent[], blocks: (key: string) => boolean, signal: AbortSignal): Promise<boolean>
}
