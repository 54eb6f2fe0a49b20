/**
 * One runner of a projection across processes: whoever holds its lease leads, the others stand by and try again. The lease only
 * saves work; that nothing is doubled is the checkpoint's compare-and-set. A leader that is killed is followed by another
 * when its lease has run out, one that stops gives it back.
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
  readonly #store: LeaseStore
  readonly #environment: Environment
  readonly #name: string
  readonly #owner: string
  readonly #durationMs: number
  /** From when on the lease is to be renewed, by this process's clock. */
  #renewAt = Number.NEGATIVE_INFINITY
  #held = false
  #renewals = 0

  constructor({ store, environment, name, owner, durationMs }: LeadershipOptions) {
    this.#store = store
    this.#environment = environment
    this.#name = name
    this.#owner = owner
    this.#durationMs = durationMs
  }

  get held(): boolean {
    return this.#held
  }

  /** How often the store was asked. */
  get renewals(): number {
    return this.#renewals
  }

  /** How long one may rest before asking again. */
  get restMs(): number {
    return this.#durationMs / 3
  }

  /** Takes or renews the lease when that is due; says whether this process leads. */
  async keep(): Promise<boolean> {
    const now = this.#environment.now()
    if (this.#held && now < this.#renewAt) return true
    this.#held = false
    this.#renewals++
    const lease = await this.#store.acquireLease(this.#name, this.#owner, this.#durationMs)
    this.#held = lease.owner === this.#owner
    this.#renewAt = now + this.#durationMs / 2
    return this.#held
  }

  /** Gives the lease back, so that another need not wait until it runs out. */
  async release(): Promise<void> {
    if (!this.#held) return
    this.#held = false
    await this.#store.releaseLease(this.#name, this.#owner)
  }
}
