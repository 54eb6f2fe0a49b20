/** The result of a step, and what a runner offers to its stepper. */
import type { StoredEvent } from '../../store/store.ts'
import type { Tries } from '../failures/tries.ts'

/** The result of a step. */
export interface StepResult {
  /** The number of events that it handled; 0 if this runner was overtaken. */
  readonly events: number
  /** Whether there is nothing left to handle now. */
  readonly caughtUp: boolean
  /** If there will be work even if the log does not grow: when, in milliseconds from now. */
  readonly restMs?: number
  /** For an observer: the events that it handled. Absent for reactions. */
  readonly handled?: readonly StoredEvent[]
}

/** Options of `retryParked`. */
export interface RetryOptions {
  /** Ends it before the next event. The handler of the event in progress is told. What is left stays parked. */
  readonly signal?: AbortSignal
}

/** The result of trying parked events again. */
export interface RetryResult {
  /** The number of events that were handled. */
  readonly handled: number
  /** The number of events that are still parked. */
  readonly parked: number
}

/** Counts parked events that were handled, as soon as that is saved. */
export interface RetryTally {
  handled: number
}

/** What a runner offers to its stepper. */
export interface StepperContext {
  /** Takes each position up to which everything is handled. */
  readonly onReached: (position: number) => void
  /**
   * Renews the lease during work that may be long. Returns false if another process has taken over or may have; this
   * process must then stop the work.
   */
  readonly keepLead: () => Promise<boolean>
  /** Does work that may wait or take long, and renews the lease meanwhile. */
  readonly during: <Result>(work: () => Promise<Result>) => Promise<Result>
  /** Called when it turns out that another process has taken over. */
  readonly onOvertaken: () => void
  /** Called when the term was raised to take over. Absent if nobody can pause the work. */
  readonly onTakenOver?: () => Promise<unknown>
  /** Whether no step may be taken. */
  readonly isPaused?: () => boolean
  /** The failures that are tried again. */
  readonly tries: Tries
}
