/**
 * What a runner drives: something that handles the log step by step behind a checkpoint. Projections and reactions do.
 */
import type { LogPlace } from '../../store/store.ts'
import type { Tries } from '../failures/tries.ts'
import type { ParkedEvent } from '../stored/parked-events.ts'

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

export interface Stepper {
  /** The last position that is handled. */
  readonly position: number
  /** The same as a place in the log. */
  readonly place: LogPlace
  /**
   * What has to be done before the log is followed; done by any process, whether it is to run the projection or not.
   *
   * @throws ProjectionError `PROJECTION_OUTDATED`
   */
  prepare(signal: AbortSignal): Promise<void>
  /** Looks where the checkpoint is, while another runner moves it. */
  look(): Promise<void>
  /**
   * Makes the stored checkpoint this runner's: nobody who was at work before saves anything from here on.
   *
   * @throws ProjectionError `PROJECTION_CHANGED` if what is stored was made by a definition that this one cannot go on
   *   for
   */
  takeOver(): Promise<void>
  /** Finds out whether other rows serve than before. */
  refresh(): Promise<void>
  /** Begins behind a position, if there is no checkpoint yet. */
  beginBehind(position: number): Promise<void>
  /**
   * Handles what comes next. An aborted signal lets it end early.
   *
   * @throws ProjectionError on an event that cannot be handled, standing before it; EventError `EVENT_NEWER` before one
   *   that is newer than this program
   */
  step(signal: AbortSignal): Promise<StepResult>
  /** Waits for what steps have left under way, if they do, and saves what came of it. */
  end?(): Promise<void>
  /** Saves what is done of what is under way, and the checkpoint behind what was passed over. */
  save(): Promise<void>
  /** What is parked, in the order of the log. */
  parked(): Promise<readonly ParkedEvent[]>
  /**
   * Tries again what is parked, in the order of the log. What fails stays parked, and what queues behind it. Gives how
   * much is still parked, or nothing if another runner was faster.
   *
   * @param tally counts what is handled: also where nothing is given in the end
   */
  retryParked(signal: AbortSignal, tally: RetryTally): Promise<number | undefined>
  /**
   * Lets a parked event go for good; gives false if another runner was faster. @throws ProjectionError `PARKED_UNKNOWN`
   */
  skipParked(position: number): Promise<boolean>
  /**
   * Forgets what is stored beside the checkpoint, whatever definition made it, and goes on behind a position, wherever
   * that is; gives false if another runner was faster.
   *
   * @param keep keeps what belongs to what was handled up to the position
   * @throws StoreError `LOG_REPLACED` if the log does not reach so far
   */
  reset(position: number, keep: boolean): Promise<boolean>
}
