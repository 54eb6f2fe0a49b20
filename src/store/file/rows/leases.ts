/**
 * The leases of a file store: in memory, with a journal on disk. Expired leases are dropped when the journal is written
 * again. Each lease names the lock under which it was taken. If the process that had the lock has certainly ended, so
 * have its leases.
 */
import { checkLease, checkLeaseOwner } from '../../arguments.ts'
import type { Lease } from '../../store.ts'
import type { Change, JournalContents } from './journal.ts'

/** A line of the journal. Without an owner the lease was given back. */
interface LeaseChange {
  readonly lease: string
  readonly owner?: string
  readonly expiresAt?: number
  readonly durationMs?: number
  /** The token of the lock. */
  readonly lock?: string
}

interface Held extends Lease {
  readonly durationMs: number
  readonly lock: string
}

/** The approximate size of a line without the names in it. */
const lineOverhead = 130

export class Leases implements JournalContents {
  readonly #leases = new Map<string, Held>()
  readonly #lock: string
  readonly #now: () => number
  #size = 0

  /** @param lock the token of the store's lock */
  constructor(lock: string, now: () => number) {
    this.#lock = lock
    this.#now = now
  }

  readonly remedy = undefined

  get size(): number {
    return this.#size
  }

  *changes(): Iterable<string> {
    const now = this.#now()
    for (const [lease, held] of [...this.#leases]) {
      if (isOver(held, now)) this.#put(lease, undefined)
      else yield JSON.stringify({ lease, ...held } satisfies LeaseChange)
    }
  }

  /** @throws InputError, DefinitionError, TypeError for a line that is not a change */
  replay(change: unknown): void {
    const { lease, owner, durationMs, expiresAt, lock } = change as LeaseChange
    if (owner === undefined) {
      checkLeaseOwner(lease, lease)
      this.#put(lease, undefined)
      return
    }
    checkLease(lease, owner, durationMs!)
    if (!Number.isFinite(expiresAt) || typeof lock !== 'string') throw new TypeError('it is not a lease')
    this.#put(lease, { owner, expiresAt: expiresAt!, durationMs: durationMs!, lock })
  }

  acquire(name: string, owner: string, durationMs: number): Change<Lease> {
    const now = this.#now()
    const held = this.#leases.get(name)
    if (held !== undefined && held.owner !== owner && !isOver(held, now)) return { apply: () => leaseOf(held) }
    const taken: Held = { owner, expiresAt: now + durationMs, durationMs, lock: this.#lock }
    const apply = () => {
      this.#put(name, taken)
      return leaseOf(taken)
    }
    return { json: JSON.stringify({ lease: name, ...taken } satisfies LeaseChange), apply }
  }

  release(name: string, owner: string): Change<void> {
    if (this.#leases.get(name)?.owner !== owner) return { apply: () => undefined }
    return { json: JSON.stringify({ lease: name } satisfies LeaseChange), apply: () => this.#put(name, undefined) }
  }

  /** The leases that were taken under a lock and have not expired. */
  heldUnder(lock: string): readonly (readonly [name: string, owner: string])[] {
    return [...this.#leases].filter(([, held]) => held.lock === lock).map(([name, { owner }]) => [name, owner])
  }

  #put(name: string, lease: Held | undefined): void {
    const before = this.#leases.get(name)
    if (before !== undefined) this.#size -= name.length + before.owner.length + lineOverhead
    if (lease === undefined) this.#leases.delete(name)
    else this.#leases.set(name, lease)
    if (lease !== undefined) this.#size += name.length + lease.owner.length + lineOverhead
  }
}

const leaseOf = ({ owner, expiresAt }: Held): Lease => Object.freeze({ owner, expiresAt })
/** A lease that ends further ahead than its duration was taken before the clock went back. */
const isOver = ({ expiresAt, durationMs }: Held, now: number): boolean =>
  expiresAt <= now || expiresAt > now + durationMs
