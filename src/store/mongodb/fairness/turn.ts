/**
 * The turn to append. A writer that is beaten for long (it is slow, or far from the server) takes the turn. Writers
 * that append all the time let it go first when they see that. The turn is a hint and not a lock: a writer that does
 * not see it, or has waited too long, appends anyway. Only the waiting time of others depends on it.
 */
import { randomUUID } from 'node:crypto'
import { elapsedMs } from '../../../runtime/timers.ts'
import type { Leases } from '../rows/leases.ts'

/** No other lease begins with this character. */
const leaseName = '\u0001turn to append'
/** How long a writer that has died with the turn delays the others. */
const leaseMs = 1000

export class Turn {
  readonly #leases: Leases
  readonly #owner = randomUUID()
  /** When this writer took the turn, if it has it. */
  #takenAt: number | undefined
  #isOthers = false

  constructor(leases: Leases) {
    this.#leases = leases
  }

  /** Whether another writer had the turn at the last look. */
  get isOthers(): boolean {
    return this.#isOthers
  }

  /** Takes the turn, or extends it. Returns whether no other writer has it. */
  async take(): Promise<boolean> {
    const now = elapsedMs()
    if (this.#takenAt !== undefined && now - this.#takenAt < leaseMs / 2) return true
    const held = await this.#leases.acquire(leaseName, this.#owner, leaseMs).catch(() => undefined)
    this.#takenAt = held?.owner === this.#owner ? now : undefined
    return this.#takenAt !== undefined
  }

  /** Gives the turn back, if this writer has it. */
  async give(): Promise<void> {
    if (this.#takenAt === undefined) return
    this.#takenAt = undefined
    await this.#leases.release(leaseName, this.#owner).catch(() => {})
  }

  async look(): Promise<void> {
    const holder = await this.#leases.holder(leaseName).catch(() => undefined)
    this.#isOthers = holder !== undefined && holder !== this.#owner
  }
}
