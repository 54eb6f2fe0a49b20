/**
 * Runs one projection or reaction. While this process leads, the runner follows the log from its checkpoint on; a
 * growing log wakes it. Otherwise it stands by. It stops before the first event that cannot be handled, and can be
 * started again.
 */
import { hasCode, type MnemeError } from '../../domain/error.ts'
import { Breath } from '../../runtime/breath.ts'
import { DueTime } from '../../runtime/due-time.ts'
import { Exclusive } from '../../runtime/exclusive.ts'
import type { Bookmark } from '../checkpoint/bookmark.ts'
import { Pausing } from '../checkpoint/pausing.ts'
import type { Retry } from '../checkpoint/retry-parked.ts'
import type { RetryResult, StepperContext, StepResult } from '../checkpoint/step.ts'
import type { Stepper } from '../checkpoint/stepper.ts'
import { givenIfFinal, isFinal, isNewer, isStillLeft, LeftToNewer } from '../failures/blame.ts'
import { calledOf, Tries } from '../failures/tries.ts'
import type { Follower } from '../log/tail.ts'
import { listParkedBeside, type ParkedEvent } from '../stored/parked-events.ts'
import { isInPlace } from './in-place.ts'
import { Leader } from './leader.ts'
import { observedStep } from './observed-step.ts'
import { PositionWaiters } from './position-waiters.ts'
import { restWhilePaused } from './resting.ts'
import type { RunnerOptions } from './runner-options.ts'
import { Runs } from './runs.ts'
import { runThrough } from './single-run.ts'
import { type StandingBy, standBy } from './stand-by.ts'
import {
  checkStillThere,
  lagOf,
  type ProjectionState,
  type ProjectionStatus,
  type RunnerView,
  type RunResult,
  statusOf,
  type WaitOptions,
} from './status.ts'

const waitTimeoutMsDefault = 5_000

export class Runner {
  readonly #options: RunnerOptions
  readonly #waiters: PositionWaiters
  readonly #steps: Stepper
  /** Its checkpoint, and what is in memory of the rows beside it. */
  readonly bookmark: Bookmark
  readonly #leader: Leader
  readonly #breath: Breath
  /** Runs single runs one after the other. */
  readonly #single = new Exclusive()
  #state: ProjectionState = 'stopped'
  #failure: MnemeError | undefined
  readonly #runs = new Runs()
  #follower: Follower | undefined
  #asked = new AbortController()
  readonly #pausing: Pausing
  readonly #standing: Omit<StandingBy, 'follower'>
  readonly #tries: Tries
  /** The position or the scheduled command at which this program stood back, and how often. */
  #stoodBack: { readonly before: number | string; times: number } = { before: -1, times: 0 }

  constructor(options: RunnerOptions) {
    const { name, store, environment, owner, leaseMs, stepper, warn } = options
    this.#options = options
    this.#breath = new Breath(environment)
    this.#pausing = new Pausing(name, store)
    const during: StepperContext['during'] = (work) => this.#leader.during(work)
    this.#tries = new Tries({ called: calledOf(name), environment, warn, observing: options.observing, during })
    const heldUp = () => {
      const { othersUntil } = this.#leader
      return { retrying: this.#tries.current, othersUntil, pausedSince: this.#pausing.since }
    }
    this.#waiters = new PositionWaiters(name, environment, heldUp)
    this.#leader = new Leader({
      name,
      store,
      environment,
      owner,
      durationMs: leaseMs,
      takeOver: () => this.bookmark.takeOver(),
      leads: () => this.bookmark.leads(),
      betterPlace: options.betterPlace,
      pollIntervalMs: options.pollIntervalMs,
      finish: () => this.bookmark.end(),
      save: () => this.bookmark.flush(),
      isFollowed: () => this.alive,
    })
    this.#steps = stepper({
      onReached: (position) => {
        this.#tries.reached(position)
        this.#waiters.reach(position)
      },
      keepLead: () => this.#leader.keep(),
      onOvertaken: () => this.#leader.doubt(),
      onTakenOver: () => this.#pausing.look(),
      isPaused: () => this.#pausing.since !== undefined,
      during,
      tries: this.#tries,
    })
    this.bookmark = this.#steps.bookmark
    this.#standing = { environment, bookmark: this.bookmark, waiters: this.#waiters, asked: () => this.#untilAsked() }
  }

  /** Whether it was started and neither stopped nor failed. */
  get alive(): boolean {
    return this.#state !== 'stopped' && this.#state !== 'failed'
  }

  /**
   * Follows the log until `stop`. A second start changes nothing.
   *
   * @param from the first position to handle, if there is no checkpoint yet
   */
  start(from = 1): void {
    if (this.alive && !this.#runs.signal.aborted) return
    this.#prepare()
    this.#runs.begin((signal) => this.#follow(from, signal))
  }

  /** Ends the run after the step in progress, and saves how far it came. It may be started again meanwhile. */
  async stop(): Promise<void> {
    const stopping = this.#runs.stop()
    this.#asked.abort(null)
    if (!(await stopping)) return
    if (this.#state !== 'failed') this.#state = 'stopped'
    this.#tries.clear()
    this.#waiters.end()
  }

  /** Lets no process handle anything until `resume`. Once this resolves, no other one saves a step. */
  async pause(): Promise<void> {
    await this.#pausing.set(this.#options.environment.now())
    if (!(await this.bookmark.leads())) await this.bookmark.intervene(async () => ({ rows: [], result: undefined }))
    this.hint()
  }

  async resume(): Promise<void> {
    await this.#pausing.set(undefined)
    this.#asked.abort(null)
  }

  async status(): Promise<ProjectionStatus> {
    const { name, store, environment } = this.#options
    const pausedSince = await this.#pausing.look()
    const unfit = await this.#lookIfIdle().then(() => undefined, givenIfFinal)
    const { here } = this.bookmark
    const { head, lag, replaced } = await lagOf(store, here, environment.now(), this.alive)
    const parked = (await listParkedBeside(this.bookmark, store, new Breath(environment))).length
    const failure = this.#failure ?? unfit ?? replaced
    const facts = { name, state: this.#state, position: here.position, head, lag, parked }
    return statusOf(facts, { pausedSince, retrying: this.#tries.current, failure })
  }

  /**
   * Handles the log as it is now, from the stored checkpoint on. If another process does so, it waits for that process.
   *
   * @throws ProjectionError as `runThrough`, `PROJECTION_FAILED`, `PROJECTION_PAUSED`; the signal's reason
   */
  runOnce(asked: AbortSignal): Promise<RunResult> {
    const tally = { events: 0 }
    const run = async () => {
      for (;;) {
        asked.throwIfAborted()
        const position = await this.#orFail(this.#runThrough(tally, asked))
        // If the run that follows the log was stopped meanwhile, the rest is left.
        if (position !== undefined) return { position, ...tally }
      }
    }
    return this.#single.run(() => this.#leader.asGuest(run))
  }

  async #runThrough(tally: { events: number }, asked: AbortSignal): Promise<number | undefined> {
    await this.#runs.ended()
    // The signal of a run that was stopped is aborted. This run needs its own.
    const isFollowed = this.alive && !this.#runs.signal.aborted
    const signal = isFollowed ? AbortSignal.any([this.#runs.signal, asked]) : asked
    if (!isFollowed) this.#waiters.begin()
    if (!isFollowed) await this.#steps.prepare(signal)
    const step = () => {
      this.#pausing.refuse()
      return this.#step(signal)
    }
    const parts = { bookmark: this.bookmark, step, breath: this.#breath, leader: this.#leader }
    return runThrough({ ...this.#options, ...parts }, tally, signal)
  }

  async look(): Promise<RunnerView> {
    await this.#lookIfIdle()
    const { isSafe: leads, othersUntil } = this.#leader
    return { here: this.bookmark.here, leads, othersUntil, tries: this.#tries, failure: this.#failure }
  }

  /** The parked events, in the order of the log. */
  async parked(): Promise<readonly ParkedEvent[]> {
    await this.#lookIfIdle()
    return listParkedBeside(this.bookmark, this.#options.store, new Breath(this.#options.environment))
  }

  async #lookIfIdle(): Promise<void> {
    const mayMoveIt = this.#state === 'running' || (this.#state === 'paused' && this.#leader.isHeld)
    if (!mayMoveIt && this.#failure === undefined) await this.bookmark.look()
  }

  /** Tries parked events again, until the signal. @throws ProjectionError `PROJECTION_ELSEWHERE` */
  async retryParked(asked: AbortSignal): Promise<RetryResult> {
    const signal = this.alive ? AbortSignal.any([this.#runs.signal, asked]) : asked
    const tally = { handled: 0 }
    const { retrySize: size } = this.#steps
    const attempt: Retry['attempt'] = (some, blocks) => this.#steps.retry(some, blocks, signal)
    const retry = () => this.bookmark.retryParked(signal, { size, attempt, tally })
    const parked = await this.#leader.lead('Retrying parked events', retry)
    // A handled event may have scheduled commands.
    this.hint()
    return { ...tally, parked }
  }

  hint(): void {
    this.#follower?.hint()
  }

  /** Deletes a parked event without handling it. @throws ProjectionError `PARKED_UNKNOWN`, `PROJECTION_ELSEWHERE` */
  async skipParked(position: number): Promise<void> {
    const skip = async () => (await this.bookmark.skipParked(position)) || undefined
    await this.#leader.lead('Skipping a parked event', skip)
  }

  /**
   * Moves the checkpoint to any position, and continues from there.
   *
   * @throws ProjectionError `PROJECTION_ELSEWHERE`; StoreError `LOG_REPLACED` if the log ends before the position
   */
  async reset(position: number, keep: boolean): Promise<void> {
    const work = async () => (await this.bookmark.reset(position, keep)) || undefined
    await this.#leader.lead('Resetting', work, async () => {}) // the bookmark takes over itself
    this.#waiters.begin()
    this.#follower?.hint()
  }

  /**
   * Waits until a position is handled, if one is given.
   *
   * @throws ProjectionError `PROJECTION_BEHIND`, or `PROJECTION_FAILED` if it has stopped; StoreError `LOG_REPLACED`
   */
  async reached({ atLeast, timeoutMs = waitTimeoutMsDefault, signal }: WaitOptions): Promise<void> {
    signal?.throwIfAborted()
    if (atLeast === undefined) return
    // If this process does not lead, another one may have moved or reset the checkpoint. While rows are prepared, the
    // live rows may be of an older revision.
    const leads = this.#state === 'running' && this.#leader.isSafe
    const isThere = this.bookmark.position >= atLeast
    const mayLook = isThere || (this.#state !== 'preparing' && this.#waiters.failure === undefined)
    const look = !leads && mayLook ? this.bookmark.look(atLeast) : undefined
    // It is told if the wait is in vain.
    if (!isThere && !leads) void this.#pausing.look().catch(() => {})
    this.#asked.abort(null)
    await this.#waiters.wait(atLeast, timeoutMs, signal, look)
    // A leader that has just reached the position has read the log. Otherwise the position may belong to another log.
    if (isThere || !leads) await checkStillThere(this.#options.store, this.bookmark.here, () => this.hint())
  }

  /** Why the rows must not be read: the log was replaced, or another definition made the rows. */
  get unreadable(): MnemeError | undefined {
    const { failure } = this.#waiters
    return hasCode(failure, 'LOG_REPLACED') || hasCode(failure, 'PROJECTION_CHANGED') ? failure : undefined
  }

  #prepare(): void {
    this.#state = 'preparing'
    this.#failure = undefined
    this.#waiters.begin()
  }

  async #follow(from: number, signal: AbortSignal): Promise<void> {
    const { tail, environment } = this.#options
    // The run before it may have failed at its end.
    this.#prepare()
    this.#follower = tail.follow()
    const follower = this.#follower
    const onPaused = () => {
      this.#state = 'paused'
      return this.#untilAsked()
    }
    const resting = { environment, pausing: this.#pausing, bookmark: this.bookmark, leader: this.#leader, onPaused }
    while (!signal.aborted && this.#failure === undefined) {
      try {
        await restWhilePaused(resting, signal)
        if (signal.aborted) break
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
    await this.#leader.releaseSaved()
  }

  /** Stands by until this process leads, then takes steps as long as it leads and is not paused. */
  async #lead(from: number, follower: Follower, signal: AbortSignal): Promise<void> {
    const { environment } = this.#options
    const leaseMs = this.#leader.restMs
    for (let asked = 1; !(await this.#leader.takeTurn()); asked++) {
      this.#state = 'standby'
      this.#tries.rest()
      // A new leader writes its recognition a moment after it has got the lease, so this looks twice.
      if (asked <= 2 || this.bookmark.isUnsettled) await this.bookmark.look()
      await standBy({ ...this.#standing, follower }, this.#leader.askAgainMs, signal)
      if (signal.aborted) return
    }
    if (this.#pausing.since !== undefined) return
    await this.bookmark.beginBehind(from - 1)
    // When there will be work even if the log does not grow.
    const due = new DueTime(environment)
    let mayHaveGrown = true
    let { renewals, tenure } = this.#leader
    while (!signal.aborted && (await this.#leader.takeTurn())) {
      if (this.#leader.renewals !== renewals && !(await isInPlace(this.bookmark, this.#pausing))) mayHaveGrown = true
      // Another process may have led: what there is to do, and when, may have changed.
      if (this.#leader.tenure !== tenure) mayHaveGrown = true
      ;({ renewals, tenure } = this.#leader)
      if (this.#pausing.since !== undefined) return
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
      // Nothing happens, so it saves how far it is. Other processes see that.
      if (!mayHaveGrown) await this.bookmark.flush()
    }
  }

  /** Aborted when a reader begins to wait for a position, when it is resumed, and at the end. */
  #untilAsked(): AbortSignal {
    this.#asked = new AbortController()
    return this.#asked.signal
  }

  #step(signal: AbortSignal): Promise<StepResult> {
    const step = () => this.bookmark.step(() => this.#steps.step(signal))
    const { observing, name } = this.#options
    return observing === undefined ? step() : observedStep(observing, name, () => this.bookmark.position, step)
  }

  /**
   * An event or a command is newer than this program: warns once, and gives the lease back. It asks for the lease when
   * a newer program has continued.
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
        await standBy({ ...this.#standing, follower }, leaseMs, signal)
        await this.bookmark.look()
      } while (!isPreparing && !signal.aborted && (await stays()))
    } catch (error) {
      if (isFinal(error)) this.#fail(error)
      else await this.#tries.storeAgain(error, signal)
    }
  }

  /** Does work once. If it fails and is not tried again, the waiting readers get the error. */
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
    const { warn, name } = this.#options
    warn({ code: 'PROJECTION_STOPPED', message: error.message, cause: error.cause, follower: calledOf(name) })
  }
}
