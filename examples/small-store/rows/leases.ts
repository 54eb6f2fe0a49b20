/** Who has what, and until when: leases by their names, and reserved streams by theirs. */
import type { Lease } from '../../../src/index.ts'

interface Held {
  readonly lease: Lease
  readonly durationMs: number
}

export class Leases {
  readonly #held = new Map<string, Held>()

  /** Takes a name, unless another owner has it. Returns the current lease. */
  take(name: string, owner: string, { durationMs, now }: { readonly durationMs: number; readonly now: number }): Lease {
    const held = this.holder(name, now)
    if (held !== undefined && held.owner !== owner) return held
    const lease = Object.freeze({ owner, expiresAt: now + durationMs })
    this.#held.set(name, { lease, durationMs })
    return lease
  }

  /** The lease of a name that has not expired. */
  holder(name: string, now: number): Lease | undefined {
    const found = this.#held.get(name)
    if (found === undefined) return undefined
    const { lease, durationMs } = found
    // A lease that lies further ahead than it lasts was taken before the clock was set back.
    return lease.expiresAt > now && lease.expiresAt <= now + durationMs ? lease : undefined
  }

  release(name: string, owner: string): void {
    if (this.#held.get(name)?.lease.owner === owner) this.#held.delete(name)
  }
}
