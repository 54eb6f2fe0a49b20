/** Who has claimed what, and until when: leases by their names, and reserved streams by theirs. */
import type { Lease } from '../../../src/index.ts'

interface Claim {
  readonly lease: Lease
  readonly durationMs: number
}

export class Claims {
  readonly #claims = new Map<string, Claim>()

  /** Claims a name, unless another owner has it. Returns the claim as it is then. */
  take(name: string, owner: string, { durationMs, now }: { readonly durationMs: number; readonly now: number }): Lease {
    const held = this.holder(name, now)
    if (held !== undefined && held.owner !== owner) return held
    const lease = Object.freeze({ owner, expiresAt: now + durationMs })
    this.#claims.set(name, { lease, durationMs })
    return lease
  }

  /** The claim on a name that has not expired. */
  holder(name: string, now: number): Lease | undefined {
    const claim = this.#claims.get(name)
    if (claim === undefined) return undefined
    const { lease, durationMs } = claim
    // A claim that lies further ahead than it lasts was made before the clock was set back.
    return lease.expiresAt > now && lease.expiresAt <= now + durationMs ? lease : undefined
  }

  release(name: string, owner: string): void {
    if (this.#claims.get(name)?.lease.owner === owner) this.#claims.delete(name)
  }
}
