/**
 * What a runner drives: something that handles the log step by step behind a checkpoint. Projections and reactions do.
 * The runner owns the bookmark, and lets it do what is the same for all; a stepper says only how events are handled.
 */
import type { ParkedEvent } from '../stored/parked-events.ts'
import type { Bookmark } from './bookmark.ts'
import type { StepResult } from './step.ts'

export interface Stepper {
  /** Where it is in the log, with what is kept beside that. */
  readonly bookmark: Bookmark
  /** How many parked events are tried again at once. */
  readonly retrySize: number
  /**
   * What has to be done before the log is followed; done by any process, whether it is to run the projection or not.
   *
   * @throws ProjectionError `PROJECTION_OUTDATED`, `PROJECTION_UNPREPARED`
   */
  prepare(signal: AbortSignal): Promise<void>
  /**
   * Handles what comes next, and saves it; within a step of the bookmark. An aborted signal lets it end early.
   *
   * @returns nothing if another runner was faster
   * @throws ProjectionError on an event that cannot be handled, standing before it; EventError `EVENT_NEWER` before one
   *   that is newer than this program
   */
  step(signal: AbortSignal): Promise<StepResult | undefined>
  /**
   * Tries parked events again, and saves what became of them: what fails stays parked. An aborted signal lets it end
   * early.
   *
   * @param blocks whether one that failed before them has a key
   * @returns false if another runner was faster
   */
  retry(parked: readonly ParkedEvent[], blocks: (key: string) => boolean, signal: AbortSignal): Promise<boolean>
}
