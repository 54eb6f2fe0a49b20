/** What a runner drives: something that handles the log step by step behind a checkpoint. Projections and reactions do. */

/** What a step came to. */
export interface StepResult {
  /** The events that it handled; 0 if another runner was faster. */
  readonly events: number
  /** Whether there is nothing left to handle now. */
  readonly caughtUp: boolean
  /** When there is something to do again even if the log does not grow, in milliseconds from now. */
  readonly restMs?: number
}

export interface Stepper {
  /** The last position that is handled. */
  readonly position: number
  /** Goes to the stored checkpoint. */
  load(): Promise<void>
  /** Begins behind a position, if there is no checkpoint yet. */
  beginBehind(position: number): Promise<void>
  /**
   * Handles what comes next. An aborted signal lets it end early.
   *
   * @throws ProjectionError on an event that cannot be handled, standing before it
   */
  step(signal: AbortSignal): Promise<StepResult>
  /** Saves the checkpoint behind what was passed over. */
  save(): Promise<void>
}
