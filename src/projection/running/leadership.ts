/**
 * Lets one process run a projection. The process that holds the lease leads; the others stand by and ask again. The
 * lease only prevents double work; the compare-and-set of the checkpoint protects the data. If a leader is killed,
 * another follows when the lease has expired. A leader that stops gives the lease back. The length of a lease is
 * measured by a clock that cannot be set.
 *
 * A process renews the lease between steps (`keep`). During work that waits or takes long, a timer renews it
 * (`during`). The lease is therefore lost only if the process ends or its event loop stands still.
 */
import type { Environment } from '../../runtime/environment.ts'
import type { Lease, LeaseStore } from '../../store/store.ts'

export interface LeadershipOptions {
  readonly store: LeaseStore
  readonly environment: Environment
  /** The name of the lease. */
  readonly name: string
  /** Unique for each running domain. */
  readonly owner: string
  readonly durationMs: number
  /**
   * Whether something else fences the work, such as a term. Then two processes may hold the lease for a moment, and the
   * owner need not wait for the end of a lease that it could not give back.
   */
  readonly isFenced: boolean
}

export class Leadership {
  readonly #options: LeadershipOptions
  /** The owner as the store knows it. If nothing else fences the work: another one after each time that may go on. */
  #owner: string
  #released = 0
  /** The time until which no other process can have it, by the clock that cannot be set. */
  #heldUntil = Number.NEGATIVE_INFINITY
  #renewAt = Number.NEGATIVE_INFINITY
  #held = false
  #renewals = 0
  #tenure = 0
  #losses = 0
  #asking: Promise<boolean> | undefined
  #othersUntil: number | undefined
  /** The number of pieces of work for which a timer renews the lease. */
  #underWay = 0
  /** There is at most one timer. It is not cancelled when the work ends: it then finds nothing to do. */
  #cancelTimer: (() => void) | undefined

  constructor(options: LeadershipOptions) {
    this.#options = options
    this.#owner = options.owner
  }

  get held(): boolean {
    return this.#held
  }

  /** Whether this process certainly has the lease now. */
  get isSafe(): boolean {
    return this.#held && this.#options.environment.elapsed() < this.#heldUntil
  }

  /** How long this process certainly has the lease, in milliseconds; negative if it has not. */
  get leftMs(): number {
    return this.#heldUntil - this.#options.environment.elapsed()
  }

  /** How often the store was asked for the lease. */
  get renewals(): number {
    return this.#renewals
  }

  /** Changes after each time in which another process may have had the lease. */
  get tenure(): number {
    return this.#tenure
  }

  /** Changes after each time in which it was given back, doubted, or found with another process. */
  get losses(): number {
    return this.#losses
  }

  /**
   * The time until which another process has the lease, in milliseconds since 1970 by the store's clock, as of the last
   * question.
   */
  get othersUntil(): number | undefined {
    return this.#othersUntil
  }

  /** The longest pause before asking again. */
  get restMs(): number {
    return this.#options.durationMs / 3
  }

  /** Takes or renews the lease when that is due. Returns whether this process leads. */
  async keep(): Promise<boolean> {
    if (this.#held && this.#options.environment.elapsed() < this.#renewAt) return true
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  /** Does some work, and renews the lease while it lasts, if this process has it. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#underWay++
    if (this.#cancelTimer === undefined) this.#renewLater()
    try {
      return await work()
    } finally {
      this.#underWay--
    }
  }

  /** Another process has acted as the leader. The store is asked before this process leads again. */
  doubt(): void {
    this.#lose()
  }

  /** Gives the lease back, so that another process need not wait until it expires. */
  async release(): Promise<void> {
    // A renewal in progress would take it again.
    await this.#asking?.catch(() => {})
    if (!this.#held) return
    this.#lose()
    const { store, name } = this.#options
    const owner = this.#owner
    try {
      await store.releaseLease(name, owner)
    } catch (error) {
      // The store may get it later. It must not end the lease that this process has by then.
      if (!this.#options.isFenced) this.#owner = `${this.#options.owner} ${++this.#released}`
      throw error
    }
  }

  async #ask(): Promise<boolean> {
    const { store, environment, name, durationMs } = this.#options
    const owner = this.#owner
    this.#held = false
    this.#renewals++
    const askedAt = environment.elapsed()
    let lease: Lease
    try {
      lease = await store.acquireLease(name, owner, durationMs)
    } catch (error) {
      // Whether or not the store got the question, no other process can have the lease before that time.
      this.#held = environment.elapsed() < this.#heldUntil
      throw error
    }
    this.#othersUntil = lease.owner === owner ? undefined : lease.expiresAt
    if (lease.owner !== owner) {
      this.#lose()
      return false
    }
    if (environment.elapsed() >= this.#heldUntil) this.#tenure++
    this.#heldUntil = askedAt + durationMs
    this.#renewAt = askedAt + durationMs / 2
    this.#held = true
    if (this.#underWay > 0) this.#renewLater()
    return true
  }

  #lose(): void {
    this.#losses++
    this.#held = false
    this.#heldUntil = Number.NEGATIVE_INFINITY
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /** Renews the lease when that is due, if work is in progress then. */
  #renewLater(leastMs = 0): void {
    if (!this.#held) return
    const { environment, durationMs } = this.#options
    const restMs = Math.max(this.#renewAt - environment.elapsed(), leastMs)
    const renew = () => {
      this.#cancelTimer = undefined
      if (this.#underWay === 0) return
      // It was renewed meanwhile, or the timer's clock is a moment ahead of `elapsed`.
      if (environment.elapsed() < this.#renewAt) return this.#renewLater()
      // If the store fails, it asks again soon, while there is time until the lease expires.
      this.keep().catch(() => this.#renewLater(durationMs / 10))
    }
    this.#cancelTimer?.()
    this.#cancelTimer = environment.after(restMs, renew, { background: true })
  }
}
