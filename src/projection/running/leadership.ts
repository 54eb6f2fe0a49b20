/**
 * One runner of a projection across processes: the one that holds its lease leads, the others stand by and try again.
 * The lease only saves work; that nothing is doubled is the checkpoint's compare-and-set. A leader that is killed is
 * followed by another when its lease has run out, one that stops gives it back. How long a lease is held is measured by
 * a clock that nobody sets.
 *
 * Who works step by step renews the lease between the steps (`keep`). Work that waits, or takes long, has it renewed by
 * a timer (`during`): so it is lost only where the process ends, or its event loop stands still.
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
  #othersUntil: number | undefined
  /** How much is under way that the lease is kept for. */
  #underWay = 0
  /**
   * There is one timer at most, however much is under way; it is left alone when that is over, and finds nothing to do
   * then.
   */
  #cancelTimer: (() => void) | undefined

  constructor(options: LeadershipOptions) {
    this.#options = options
  }

  get held(): boolean {
    return this.#held
  }

  /** Whether nobody else can have the lease now. */
  get isSafe(): boolean {
    return this.#held && this.#options.environment.elapsed() < this.#heldUntil
  }

  /** How often the store was asked. */
  get renewals(): number {
    return this.#renewals
  }

  /** Another number after each time at which somebody else may have had the lease. */
  get tenure(): number {
    return this.#tenure
  }

  /**
   * Until when another has the lease, in milliseconds since 1970 by the store's clock, if it had it when the store was
   * asked last.
   */
  get othersUntil(): number | undefined {
    return this.#othersUntil
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

  /** Does some work, and renews the lease for as long as that takes, if this process has it. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#underWay++
    if (this.#cancelTimer === undefined) this.#renewLater()
    try {
      return await work()
    } finally {
      this.#underWay--
    }
  }

  /** Somebody else has acted as the leader: the store is asked before this process leads on. */
  doubt(): void {
    this.#lose()
  }

  /** Gives the lease back, so that another need not wait until it runs out. */
  async release(): Promise<void> {
    // A renewal that is under way would take it again.
    await this.#asking?.catch(() => {})
    if (!this.#held) return
    this.#lose()
    await this.#options.store.releaseLease(this.#options.name, this.#options.owner)
  }

  async #ask(): Promise<boolean> {
    const { store, environment, name, owner, durationMs } = this.#options
    this.#held = false
    this.#renewals++
    const askedAt = environment.elapsed()
    let lease: Lease
    try {
      lease = await store.acquireLease(name, owner, durationMs)
    } catch (error) {
      // Whatever became of the question: nobody else can have it before that.
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
    this.#held = false
    this.#heldUntil = Number.NEGATIVE_INFINITY
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /** Renews the lease when that is due, if something is under way then. */
  #renewLater(leastMs = 0): void {
    if (!this.#held) return
    const { environment, durationMs } = this.#options
    const restMs = Math.max(this.#renewAt - environment.elapsed(), leastMs)
    const renew = () => {
      this.#cancelTimer = undefined
      if (this.#underWay === 0) return
      // It was renewed meanwhile; or the timer's clock is a moment ahead of the one that is read.
      if (environment.elapsed() < this.#renewAt) return this.#renewLater()
      // It asks again soon if the store fails: there is time left until the lease runs out.
      this.keep().catch(() => this.#renewLater(durationMs / 10))
    }
    this.#cancelTimer?.()
    this.#cancelTimer = environment.after(restMs, renew, { background: true })
  }
}
