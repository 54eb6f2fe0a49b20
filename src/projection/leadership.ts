/**
 * One runner of a projection across processes: the one that holds its lease leads, the others stand by and try again. The lease only
 * saves work; that nothing is doubled is the checkpoint's compare-and-set. A leader that is killed is followed by another
 * when its lease has run out, one that stops gives it back. How long a lease is held is measured by a clock that nobody sets.
 */
import type { Environment } from '../kernel/environment.ts'
import type { LeaseStore } from '../store/store.ts'

export interface LeadershipOptions {
  readonly store: LeaseStore
  readonly environment: Environment
  /** The name of the lease. */
  readonly name: string
  /** Unique for each running domain. */
  readonly owner: string
  readonly durationMs: number
}

export class Leadership {
  readonly #options: LeadershipOptions
  /** Until when nobody else can have it, by the clock that nobody sets. */
  #heldUntil = Number.NEGATIVE_INFINITY
  #renewAt = Number.NEGATIVE_INFINITY
  #held = false
  #renewals = 0
  #tenure = 0
  #asking: Promise<boolean> | undefined

  constructor(options: LeadershipOptions) {
    this.#options = options
  }

  get held(): boolean {
    return this.#held
  }

  /** How often the store was asked. */
  get renewals(): number {
    return this.#renewals
  }

  /** Another number after each time at which somebody else may have had the lease. */
  get tenure(): number {
    return this.#tenure
  }

  /** How long one may rest before asking again. */
  get restMs(): number {
    return this.#options.durationMs / 3
  }

  /** Takes or renews the lease when that is due; says whether this process leads. */
  async keep(): Promise<boolean> {
    if (this.#held && this.#options.environment.elapsed() < this.#renewAt) return true
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  /** Somebody else has acted as the leader: the store is asked before this process leads on. */
  doubt(): void {
    this.#held = false
  }

  /** Gives the lease back, so that another need not wait until it runs out. */
  async release(): Promise<void> {
    if (!this.#held) return
    this.#held = false
    await this.#options.store.releaseLease(this.#options.name, this.#options.owner)
  }

  async #ask(): Promise<boolean> {
    const { store, environment, name, owner, durationMs } = this.#options
    const heldUntil = this.#held ? this.#heldUntil : Number.NEGATIVE_INFINITY
    this.#held = false
    this.#renewals++
    const askedAt = environment.elapsed()
    const lease = await store.acquireLease(name, owner, durationMs)
    if (lease.owner !== owner) return false
    if (environment.elapsed() >= heldUntil) this.#tenure++
    this.#heldUntil = askedAt + durationMs
    this.#renewAt = askedAt + durationMs / 2
    this.#held = true
    return true
  }
}
