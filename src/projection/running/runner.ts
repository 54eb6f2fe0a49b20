/**
 * Runs one projection or reaction: follows the log from its checkpoint on, woken when it grows, as long as this process
 * leads; stands by otherwise. It stops before the first event that cannot be handled, and can be started again.
 */
import { hasCode, type MnemeError } from '../../domain/error.ts'
import { Breath } from '../../runtime/breath.ts'
import { DueTime } from '../../runtime/due-time.ts'
import { sleep } from '../../runtime/environment.ts'
import { Exclusive } from '../../runtime/exclusive.ts'
import type { Bookmark } from '../checkpoint/bookmark.ts'
import type { Retry } from '../checkpoint/retry-parked.ts'
import type { RetryResult, StepperContext, StepResult } from '../checkpoint/step.ts'
import type { Stepper } from '../checkpoint/stepper.ts'
import { givenIfFinal, isFinal, isNewer, isStillLeft, LeftToNewer } from '../failures/blame.ts'
import { calledOf, Tries } from '../failures/tries.ts'
import type { Follower } from '../log/tail.ts'
import type { ParkedEvent } from '../stored/parked-events.ts'
import { Leader } from './leader.ts'
import { PositionWaiters } from './position-waiters.ts'
import type { RunnerOptions } from './runner-options.ts'
import { runThrough } from './single-run.ts'
import {
  lagOf,
  nextBehind,
  type ProjectionState,
  type ProjectionStatus,
  type RunResult,
  type WaitOptions,
} from './status.ts'

const waitTimeoutMsDefault = 5_000

export class Runner {
  readonly #options: RunnerOptions
  readonly #waiters: PositionWaiters
  readonly #steps: Stepper
  /** Where it is in the log, with what is kept beside that. */
  readonly bookmark: Bookmark
  readonly #leader: Leader
  readonly #breath: Breath
  /** Single runs, one after the other. */
  readonly #single = new Exclusive()
  #state: ProjectionState = 'stopped'
  #failure: MnemeError | undefined
  #running: Promise<void> | undefined
  #follower: Follower | undefined
  /** Aborted when somebody begins to wait for a position, and at the end. */
  #asked = new AbortController()
  #stopping = new AbortController()
  #resume: PromiseWithResolvers<void> | undefined
  readonly #tries: Tries
  /** Before what this program has stood back (behind a position, or a scheduled command), and how often. */
  #stoodBack: { readonly before: number | string; times: number } = { before: -1, times: 0 }

  constructor(options: RunnerOptions) {
    const { name, store, environment, owner, leaseMs, stepper, warn } = options
    this.#options = options
    this.#breath = new Breath(environment)
    const during: StepperContext['during'] = (work) => this.#leader.during(work)
    this.#tries = new Tries({ called: calledOf(name), environment, warn, during })
    const heldUp = () => ({ retrying: this.#tries.current, othersUntil: this.#leader.othersUntil })
    this.#waiters = new PositionWaiters(name, environment, heldUp)
    this.#leader = new Leader({
      name,
      store,
      environment,
      owner,
      durationMs: leaseMs,
      takeOver: () => this.bookmark.takeOver(),
      finish: () => this.bookmark.end(),
      isFollowed: () => this.alive,
    })
    this.#steps = stepper({
      onReached: (position) => {
        this.#tries.reached(position)
        this.#waiters.reach(position)
      },
      keepLead: () => this.#leader.keep(),
      onOvertaken: () => this.#leader.doubt(),
      during,
      tries: this.#tries,
    })
    this.bookmark = this.#steps.bookmark
  }

  /** Whether it was started and neither stopped nor failed. */
  get alive(): boolean {
    return this.#state !== 'stopped' && this.#state !== 'failed'
  }

  /**
   * Follows the log until `stop`. Started twice it is the same run.
   *
   * @param from the first position to handle, for a projection that has no checkpoint yet
   */
  start(from = 1): void {
    if (this.alive) return
    this.#state = 'preparing'
    this.#failure = undefined
    this.#waiters.begin()
    this.#stopping = new AbortController()
    const { signal } = this.#stopping
    this.#running = Promise.resolve(this.#running).then(() => this.#follow(from, signal))
  }

  /** Ends the run after the step that is under way, and saves how far it came. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#asked.abort()
    this.resume()
    await this.#running
    if (this.#state !== 'failed') this.#state = 'stopped'
    this.#tries.clear()
    this.#waiters.end()
  }

  /** Handles nothing until `resume`, and keeps others from doing so. Readers read on. */
  pause(): void {
    if (this.alive) this.#resume ??= Promise.withResolvers()
  }

  resume(): void {
    this.#resume?.resolve()
    this.#resume = undefined
  }

  async status(): Promise<ProjectionStatus> {
    const { name, store, environment } = this.#options
    const unfit = await this.#lookIfIdle().then(() => undefined, givenIfFinal)
    const { here } = this.bookmark
    const { head, lag, replaced } = await lagOf(store, here, environment.now(), this.alive)
    const parked = (await this.bookmark.listParked()).length
    const failure = this.#failure ?? unfit ?? replaced
    const retrying = this.#tries.current
    return {
      name,
      state: this.#state,
      position: here.position,
      head,
      lag,
      parked,
      ...(retrying !== undefined && { retrying }),
      ...(failure !== undefined && { failure }),
    }
  }

  /**
   * Handles what is in the log now, from the stored checkpoint on; waits for another process that does so already.
   *
   * @throws ProjectionError `PROJECTION_FAILED`; `PROJECTION_ELSEWHERE` if the other one comes no further for longer
   *   than a lease
   */
  runOnce(): Promise<RunResult> {
    return this.#single.run(async () => {
      // A run that was stopped has an aborted signal; this is another run.
      const { signal } = this.alive ? this.#stopping : new AbortController()
      if (!this.alive) {
        this.#waiters.begin()
        await this.#orFail(this.#steps.prepare(signal))
      }
      const { store, environment, leaseMs } = this.#options
      const step = () => this.#step(signal)
      const parts = {
        bookmark: this.bookmark,
        step,
        breath: this.#breath,
        leader: this.#leader,
        askAgainMs: this.#askAgainMs,
      }
      const run = () => this.#orFail(runThrough({ store, environment, leaseMs, ...parts }, signal))
      return this.#leader.asGuest(run)
    })
  }

  /** What is parked, in the order of the log. */
  async parked(): Promise<readonly ParkedEvent[]> {
    await this.#lookIfIdle()
    return this.bookmark.listParked()
  }

  /** Another process may have gone on where this one does not. */
  async #lookIfIdle(): Promise<void> {
    if (this.#state !== 'running' && this.#state !== 'paused' && this.#failure === undefined) await this.bookmark.look()
  }

  /** Tries again what is parked. @throws ProjectionError `PROJECTION_ELSEWHERE` */
  async retryParked(): Promise<RetryResult> {
    const signal = this.alive ? this.#stopping.signal : new AbortController().signal
    const tally = { handled: 0 }
    const { retrySize: size } = this.#steps
    const attempt: Retry['attempt'] = (some, blocks) => this.#steps.retry(some, blocks, signal)
    const retry = () => this.bookmark.retryParked(signal, { size, attempt, tally })
    const parked = await this.#leader.lead('Retrying what is parked', retry)
    // What was handled may have scheduled something.
    this.#follower?.hint()
    return { ...tally, parked }
  }

  /** Lets a parked event go for good. @throws ProjectionError `PARKED_UNKNOWN`, `PROJECTION_ELSEWHERE` */
  async skipParked(position: number): Promise<void> {
    const skip = async () => (await this.bookmark.skipParked(position)) || undefined
    await this.#leader.lead('Skipping what is parked', skip)
  }

  /**
   * Begins behind a position again, wherever that is.
   *
   * @throws ProjectionError `PROJECTION_ELSEWHERE`, StoreError `LOG_REPLACED` if the log does not reach so far
   */
  async reset(position: number, keep: boolean): Promise<void> {
    const work = async () => (await this.bookmark.reset(position, keep)) || undefined
    await this.#leader.lead('Resetting it', work, async () => {}) // it takes over by itself
    this.#waiters.begin()
    this.#follower?.hint()
  }

  /** How soon to ask for the lease again while another process has it. */
  get #askAgainMs(): number {
    return Math.min(this.#options.pollIntervalMs, this.#leader.restMs)
  }

  /**
   * Waits until a position is handled, if one is asked for.
   *
   * @throws ProjectionError `PROJECTION_BEHIND`, or `PROJECTION_FAILED` if it stands before a bad event; StoreError
   *   `LOG_REPLACED`
   */
  async reached({ atLeast, timeoutMs = waitTimeoutMsDefault, signal }: WaitOptions): Promise<void> {
    signal?.throwIfAborted()
    if (atLeast === undefined) return
    // Elsewhere it may have gone on or been reset. While rows are prepared, those that serve may be of an older
    // revision.
    const leads = this.#state === 'running' && this.#leader.isSafe
    const isThere = this.bookmark.position >= atLeast
    const mayLook = isThere || (this.#state !== 'preparing' && this.#waiters.failure === undefined)
    const look = !leads && mayLook ? this.bookmark.look() : undefined
    this.#asked.abort()
    await this.#waiters.wait(atLeast, timeoutMs, signal, look)
    // One who has just come there has read the log. Else the position may be of another log.
    if (isThere || !leads) await this.#checkPlace()
  }

  /**
   * Why nothing is read of what was handled: the log that it was handled from was replaced, or another definition
   * handled it.
   */
  get unreadable(): MnemeError | undefined {
    const { failure } = this.#waiters
    return hasCode(failure, 'LOG_REPLACED') || hasCode(failure, 'PROJECTION_CHANGED') ? failure : undefined
  }

  /** @throws StoreError `LOG_REPLACED` if what is handled is not of the log that is there */
  async #checkPlace(): Promise<void> {
    try {
      await nextBehind(this.#options.store, this.bookmark.here)
    } catch (error) {
      // The run is to notice it too.
      if (hasCode(error, 'LOG_REPLACED')) this.#follower?.hint()
      throw error
    }
  }

  // -- following -----------------------------------------------------------------------------------------

  async #follow(from: number, signal: AbortSignal): Promise<void> {
    const follower = this.#options.tail.follow()
    this.#follower = follower
    while (!signal.aborted && this.#failure === undefined) {
      try {
        this.#state = 'preparing'
        await this.#steps.prepare(signal)
        await this.#lead(from, follower, signal)
      } catch (error) {
        if (isNewer(error)) await this.#standBack(error, follower, signal)
        else if (isFinal(error)) this.#fail(error)
        else await this.#tries.storeAgain(error, signal)
      }
    }
    follower.close()
    await this.#leader.release(() => this.bookmark.flush())
  }

  /** Stands by until this process leads, then goes on until it does not any more. */
  async #lead(from: number, follower: Follower, signal: AbortSignal): Promise<void> {
    const { environment } = this.#options
    const leaseMs = this.#leader.restMs
    for (let asked = 1; !(await this.#leader.take()); asked++) {
      this.#state = 'standby'
      this.#tries.rest()
      // Whose work it is, the one that leads says a moment after it has got the lease.
      if (asked <= 2) await this.bookmark.look()
      await this.#standBy(follower, this.#askAgainMs, signal)
      if (signal.aborted) return
    }
    await this.bookmark.beginBehind(from - 1)
    // When there is something to do even if the log does not grow.
    const due = new DueTime(environment)
    let mayHaveGrown = true
    let { renewals, tenure } = this.#leader
    while (!signal.aborted && (await this.#leader.take())) {
      if (this.#leader.renewals !== renewals) await this.bookmark.refresh()
      // Somebody else was at work here: what there is to do, and when, is not what it was.
      if (this.#leader.tenure !== tenure) mayHaveGrown = true
      ;({ renewals, tenure } = this.#leader)
      if (this.#resume !== undefined) {
        this.#state = 'paused'
        mayHaveGrown = true
        // What was under way may be done by now.
        await this.bookmark.flush()
        await Promise.race([this.#resume.promise, sleep(environment, leaseMs, signal)])
        continue
      }
      this.#state = 'running'
      if (mayHaveGrown || due.isOver) {
        follower.mark()
        const { caughtUp, restMs = Number.POSITIVE_INFINITY } = await this.#step(signal)
        this.#tries.storeIsBack()
        await this.#breath.pause()
        mayHaveGrown = !caughtUp
        due.set(restMs)
      }
      const mostMs = Math.min(due.restMs, leaseMs)
      if (mayHaveGrown || mostMs <= 0) continue
      mayHaveGrown = await follower.wait(signal, { examined: () => this.bookmark.position, mostMs })
      // Nothing happens: those who look from elsewhere see how far this is.
      if (!mayHaveGrown) await this.bookmark.flush()
    }
  }

  /**
   * Lets time pass until it may be this process's turn, and looks how far the other one is, as often as it goes on, if
   * anybody waits for that.
   */
  async #standBy(follower: Follower, restMs: number, signal: AbortSignal): Promise<void> {
    const { environment } = this.#options
    const end = environment.elapsed() + restMs
    for (let mostMs = restMs; mostMs > 0 && !signal.aborted; mostMs = end - environment.elapsed()) {
      if (this.#waiters.someoneWaits) {
        follower.mark()
        await this.bookmark.look()
        await follower.wait(signal, { examined: () => this.bookmark.position, mostMs })
      } else {
        this.#asked = new AbortController()
        await sleep(environment, mostMs, this.#asked.signal, { background: true })
      }
    }
  }

  #step(signal: AbortSignal): Promise<StepResult> {
    return this.bookmark.step(() => this.#steps.step(signal))
  }

  /**
   * Something is newer than this program: says so once, gives the lease back, and asks for it when a newer one has gone
   * on.
   */
  async #standBack(cause: unknown, follower: Follower, signal: AbortSignal): Promise<void> {
    const { leaseMs, store, name } = this.#options
    const { position } = this.bookmark
    const isPreparing = this.#state === 'preparing'
    const before = cause instanceof LeftToNewer ? cause.timer.key : position
    if (before !== this.#stoodBack.before) this.#stoodBack = { before, times: 0 }
    this.#state = 'outdated'
    const stays = async () => this.bookmark.position === position && (await isStillLeft(cause, store, name))
    try {
      do {
        this.#tries.standBack(this.#stoodBack.times++, cause, leaseMs)
        await this.#leader.release()
        await this.#standBy(follower, leaseMs, signal)
        await this.bookmark.look()
      } while (!isPreparing && !signal.aborted && (await stays()))
    } catch (error) {
      if (isFinal(error)) this.#fail(error)
      else await this.#tries.storeAgain(error, signal)
    }
  }

  /** Something that is done once; if it fails for good, everybody who waits learns it. */
  async #orFail<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work
    } catch (error) {
      if (isFinal(error)) this.#fail(error)
      throw error instanceof LeftToNewer ? error.cause : error
    }
  }

  #fail(error: MnemeError): void {
    if (this.#failure === error) return
    this.#waiters.fail(error)
    this.#tries.clear()
    if (this.alive) {
      this.#failure = error
      this.#state = 'failed'
    }
    this.#options.warn({ code: 'PROJECTION_STOPPED', message: error.message, cause: error.cause })
  }
}
