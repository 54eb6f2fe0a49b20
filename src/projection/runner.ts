/**
 * Runs one projection or reaction: follows the log from its checkpoint on, woken by the store's hint with a slow poll behind it, as long as
 * this process leads; stands by otherwise. It stops at the first event that cannot be folded, in front of it, and can
 * be started again.
 */
import { ProjectionError } from '../domain/error.ts'
import { backOffMs, type Environment, sleep } from '../kernel/environment.ts'
import type { Warn } from '../kernel/warning.ts'
import type { EventStore, LeaseStore, ProjectionStore } from '../store/store.ts'
import { Leadership } from './leadership.ts'
import { PositionWaiters } from './position-waiters.ts'
import type { Stepper } from './stepper.ts'
import { Tail } from './tail.ts'

export interface RunnerOptions {
  /** The name under which checkpoint and lease are stored. */
  readonly name: string
  readonly store: EventStore & ProjectionStore & LeaseStore
  readonly environment: Environment
  readonly warn: Warn
  /** How often to look without a hint. */
  readonly pollIntervalMs: number
  /** Unique for each running domain: the holder of the lease. */
  readonly owner: string
  readonly leaseMs: number
  /** What is run; it reports each position up to which everything is handled. */
  readonly stepper: (onReached: (position: number) => void) => Stepper
}

/** Where a run came to. */
export interface RunResult {
  /** The last position that the projection has handled. */
  readonly position: number
  /** The events that this run folded into rows. */
  readonly events: number
}

/** How long a reader waits for a position, and what may end the wait. */
export interface WaitOptions {
  /** Wait until the projection has handled this position: `outcome.position` reads your own write. */
  readonly atLeast?: number
  /** 5,000 by default; after it `PROJECTION_BEHIND` is thrown. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * `running`: follows the log here. `standby`: another process does. `paused`: nobody does until `resume`. `failed`: stands before
 * an event that it cannot handle. `stopped`: not started.
 */
export type ProjectionState = 'running' | 'standby' | 'paused' | 'failed' | 'stopped'

export interface ProjectionStatus {
  readonly name: string
  readonly state: ProjectionState
  /** The last position that is handled. */
  readonly position: number
  /** The log's last position. */
  readonly head: number
  /** How far it is behind: in positions, and the age of the oldest event not handled, in milliseconds. */
  readonly lag: { readonly events: number; readonly ms: number }
  /** Why it has failed. */
  readonly failure?: ProjectionError
}

const retryFirstMs = 50
const retryMaxMs = 5_000
const waitTimeoutMsDefault = 5_000

export class Runner {
  readonly #options: RunnerOptions
  readonly #waiters: PositionWaiters
  readonly #steps: Stepper
  readonly #leadership: Leadership
  #state: ProjectionState = 'stopped'
  #failure: ProjectionError | undefined
  #running: Promise<void> | undefined
  #stopping = new AbortController()
  #resume: PromiseWithResolvers<void> | undefined
  /** Of the store, in a row. */
  #failures = 0

  constructor(options: RunnerOptions) {
    const { name, store, environment, owner, leaseMs, stepper } = options
    this.#options = options
    this.#waiters = new PositionWaiters(name, environment)
    this.#steps = stepper((position) => this.#waiters.reach(position))
    this.#leadership = new Leadership({ store, environment, name, owner, durationMs: leaseMs })
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
    this.#state = 'standby'
    this.#failure = undefined
    this.#stopping = new AbortController()
    const { signal } = this.#stopping
    const before = this.#running
    this.#running = (async () => {
      await before
      await this.#follow(from, signal)
    })()
  }

  /** Ends the run after the step that is under way, and saves how far it came. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.resume()
    await this.#running
    if (this.#state !== 'failed') this.#state = 'stopped'
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
    const head = await store.head()
    const stored = this.#state === 'running' ? 0 : await store.loadCheckpoint(name)
    const position = Math.max(this.#steps.position, stored)
    const range = { from: position + 1, to: position + 2 }
    const [next] = position < head ? (await store.readAll(range, { limit: 1 })).events : []
    const ms = next === undefined ? 0 : Math.max(0, environment.now() - next.recordedAt)
    const status = { name, state: this.#state, position, head }
    const lag = { events: Math.max(0, head - position), ms }
    return { ...status, lag, ...(this.#failure !== undefined && { failure: this.#failure }) }
  }

  /**
   * Handles what is in the log now, from the stored checkpoint on.
   *
   * @throws ProjectionError `PROJECTION_FAILED`
   */
  async runOnce(): Promise<RunResult> {
    // A run that was stopped has an aborted signal; this is another run.
    const { signal } = this.alive ? this.#stopping : new AbortController()
    await this.#steps.load()
    let events = 0
    for (let caughtUp = false; !caughtUp; ) {
      const step = await this.#orFail(this.#steps.step(signal))
      events += step.events
      caughtUp = step.caughtUp
    }
    await this.#steps.save()
    return { position: this.#steps.position, events }
  }

  /**
   * Waits until a position is handled, if one is asked for.
   *
   * @throws ProjectionError `PROJECTION_BEHIND`, or `PROJECTION_FAILED` if it stands before a bad event
   */
  async reached({ atLeast, timeoutMs = waitTimeoutMsDefault, signal }: WaitOptions): Promise<void> {
    signal?.throwIfAborted()
    if (atLeast === undefined) return
    if (this.#running === undefined && this.#steps.position < atLeast) await this.#steps.load()
    await this.#waiters.wait(atLeast, timeoutMs, signal)
  }

  // -- following -----------------------------------------------------------------------------------------

  async #follow(from: number, signal: AbortSignal): Promise<void> {
    const { store, environment, pollIntervalMs } = this.#options
    const tail = new Tail(store, environment, Math.min(pollIntervalMs, this.#leadership.restMs))
    for (this.#failures = 0; !signal.aborted && this.#failure === undefined; ) {
      try {
        await this.#lead(from, tail, signal)
      } catch (error) {
        if (!(error instanceof ProjectionError)) await this.#holdUp(error, signal)
      }
    }
    tail.close()
    if (this.#leadership.held) await this.#steps.save().catch(() => {})
    await this.#leadership.release().catch(() => {})
  }

  /** One term: stands by until this process leads, then goes on until it does not any more. */
  async #lead(from: number, tail: Tail, signal: AbortSignal): Promise<void> {
    while (!(await this.#leadership.keep())) {
      this.#state = 'standby'
      tail.mark()
      await this.#steps.load()
      await tail.wait(signal)
      if (signal.aborted) return
    }
    await this.#steps.beginBehind(from - 1)
    while (!signal.aborted && (await this.#leadership.keep())) {
      if (this.#resume !== undefined) {
        this.#state = 'paused'
        await Promise.race([this.#resume.promise, sleep(this.#options.environment, this.#leadership.restMs, signal)])
        continue
      }
      this.#state = 'running'
      tail.mark()
      const { caughtUp, restMs } = await this.#orFail(this.#steps.step(signal))
      this.#failures = 0
      if (caughtUp) await tail.wait(signal, restMs)
    }
  }

  /** The store failed: says so once, and waits before the next try. */
  async #holdUp(cause: unknown, signal: AbortSignal): Promise<void> {
    const { name, environment, warn } = this.#options
    if (this.#failures++ === 0) {
      const message = `The projection ${name} is held up, and tries again until it can go on`
      warn({ code: 'PROJECTION_DELAYED', message, cause })
    }
    await sleep(environment, backOffMs(environment, this.#failures, retryFirstMs, retryMaxMs), signal)
  }

  /** A step; if it fails on an event, everybody who waits learns it. */
  async #orFail<Result>(step: Promise<Result>): Promise<Result> {
    try {
      return await step
    } catch (error) {
      if (error instanceof ProjectionError) {
        this.#waiters.fail(error)
        if (this.alive) {
          this.#failure = error
          this.#state = 'failed'
        }
        this.#options.warn({ code: 'PROJECTION_STOPPED', message: error.message, cause: error.cause })
      }
      throw error
    }
  }
}
