/**
 * Work that one process at a time does, of all that share a store. The process that holds the lease runs it. It is told
 * to end before the lease can pass to another process. A process that stands still for longer than the lease may go on
 * for a moment when it wakes up, so the work itself must be safe if two processes do it for a moment.
 */
import { type Environment, sleep } from '../../runtime/environment.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { LeaseStore } from '../../store/store.ts'
import { Leadership } from './leadership.ts'
import { type BetterPlace, Yielding } from './yielding.ts'

/** Work that ends when the signal is aborted. If it returns before, it is called again after a second. */
export type SingletonWork = (signal: AbortSignal) => unknown

export interface SingletonOptions {
  readonly name: string
  readonly work: SingletonWork
  readonly store: LeaseStore
  readonly environment: Environment
  readonly warn: Warn
  readonly owner: string
  readonly leaseMs: number
  readonly pollIntervalMs: number
  readonly betterPlace: BetterPlace | undefined
}

/** The pause before work that has returned is called again. */
const againMs = 1000
/** The pauses after work that has failed. */
const failedMsMax = 60_000
/** How many times it looks at the lease while it holds it. */
const looksInALease = 20

export class Singleton {
  readonly #options: SingletonOptions
  readonly #leadership: Leadership
  readonly #yielding: Yielding
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>
  #isHere = false
  #failures = 0

  constructor(options: SingletonOptions) {
    const { name, store, environment, owner, leaseMs: durationMs, betterPlace } = options
    this.#options = options
    this.#leadership = new Leadership({
      store,
      environment,
      owner,
      durationMs,
      name: `singleton ${name}`,
      isFenced: false,
    })
    // Work would be cut short for each offer, also if the other process does not have it at all.
    const offersAgain = false
    this.#yielding = new Yielding({ betterPlace, name, environment, askAgainMs: this.#askAgainMs, offersAgain })
    this.#running = this.#run()
  }

  /** Whether the work is done here now. */
  get isHere(): boolean {
    return this.#isHere
  }

  /** Ends the work here, and gives the lease to others. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  get #askAgainMs(): number {
    return Math.min(this.#options.pollIntervalMs, this.#leadership.restMs)
  }

  /** Whether the lease is about to pass to another process. */
  get #isEnding(): boolean {
    return this.#leadership.leftMs < this.#options.leaseMs / looksInALease
  }

  async #run(): Promise<void> {
    const { environment } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      // The store is tried again: commands meet its failure too, and report it.
      const leads = !this.#yielding.isDue(false) && (await this.#leadership.keep().catch(() => false))
      // An answer that came late may be about a lease that is over, or come when this is stopped.
      const mayBegin = leads && !this.#isEnding && !signal.aborted
      const restMs = mayBegin ? await this.#lead() : this.#askAgainMs
      await sleep(environment, restMs, signal, { background: true })
    }
    await this.#leadership.release().catch(() => {})
  }

  /** Does the work for as long as this process leads. @returns the pause after it */
  async #lead(): Promise<number> {
    const { work } = this.#options
    const controller = new AbortController()
    const ended = new AbortController()
    let restMs = 0
    this.#isHere = true
    try {
      const running = (async () => work(controller.signal))().finally(() => ended.abort())
      await this.#leadership.during(async () => {
        await Promise.all([running, this.#watch(controller, ended.signal)])
      })
      this.#failures = 0
      if (!controller.signal.aborted) return againMs
    } catch (cause) {
      if (!controller.signal.aborted) restMs = this.#failed(cause)
    } finally {
      this.#isHere = false
    }
    // Perhaps it works elsewhere.
    await this.#leadership.release().catch(() => {})
    return restMs
  }

  /** Aborts the work before this process loses the lease, or when another one may have had it meanwhile. */
  async #watch(controller: AbortController, ended: AbortSignal): Promise<void> {
    const { environment, leaseMs } = this.#options
    const { tenure } = this.#leadership
    const stopping = this.#stopping.signal
    const either = AbortSignal.any([ended, stopping])
    while (!ended.aborted && !controller.signal.aborted) {
      if (stopping.aborted || this.#yielding.isDue(true) || this.#isEnding || this.#leadership.tenure !== tenure) {
        controller.abort(new Error('Another process does this work now'))
        return
      }
      await sleep(environment, leaseMs / looksInALease, either, { background: true })
    }
  }

  #failed(cause: unknown): number {
    const { name, warn } = this.#options
    const restMs = Math.min(againMs * 2 ** Math.min(this.#failures++, 10), failedMsMax)
    const message = `The singleton ${name} has failed, and is called again in ${restMs / 1000} s`
    warn({ code: 'SINGLETON_FAILED', message, cause })
    return restMs
  }
}
