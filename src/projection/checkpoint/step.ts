/** What a step comes to, and what it is told by its runner. */
import type { Tries } from '../failures/tries.ts'

/** What a step came to. */
export interface StepResult {
  /** The events that it handled; 0 if another runner was faster. */
  readonly events: number
  /** Whether there is nothing left to handle now. */
  readonly caughtUp: boolean
  /** When there is something to do again even if the log does not grow, in milliseconds from now. */
  readonly restMs?: number
}

/** What became of parked events that were tried again. */
export interface RetryResult {
  /** How many were handled. */
  readonly handled: number
  /** How many are still parked. */
  readonly parked: number
}

/** Counts parked events that were handled, as soon as that is saved. */
export interface RetryTally {
  handled: number
}

/** What a stepper is told by its runner, and may ask of it. */
export interface StepperContext {
  /** To be told each position up to which everything is handled. */
  readonly onReached: (position: number) => void
  /**
   * Keeps the lease during work that may be long; false if another process has, or may have taken over, who is not to
   * be disturbed.
   */
  readonly keepLead: () => Promise<boolean>
  /** Does work that may wait, or take long, and keeps the lease meanwhile. */
  readonly during: <Result>(work: () => Promise<Result>) => Promise<Result>
  /** To be told when another process turns out to have taken over. */
  readonly onOvertaken: () => void
  /** What is tried again. */
  readonly tries: Tries
}
