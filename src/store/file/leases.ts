/** The leases of a file store: in memory, in a journal on disk. An expired one is forgotten when the journal is written anew. */
import type { Lease } from '../store.ts'
import type { Change, JournalContents } from './journal.ts'

/** A line of the journal; without an owner the lease was given back. */
interface LeaseChange {
  readonly lease: string
  readonly owner?: string
  readonly expiresAt?: number
}

/** About what a line costs besides the names in it. */
const lineOverhead = 60

export class Leases implements JournalContents {
  readonly #leases = new Map<string, Lease>()
  readonly #now: () => number
  #size = 0

  constructor(now: () => number) {
    this.#now = now
  }

  get size(): number {
    return this.#size
  }

  *changes(): Iterable<string> {
    const now = this.#now()
    for (const [lease, { owner, expiresAt }] of [...this.#leases]) {
      if (expiresAt > now) yield JSON.stringify({ lease, owner, expiresAt } satisfies LeaseChange)
      else this.#put(lease, undefined)
    }
  }

  replay(change: unknown): void {
    const { lease, owner, expiresAt } = change as LeaseChange
    this.#put(lease, owner === undefined || expiresAt === undefined ? undefined : Object.freeze({ owner, expiresAt }))
  }

  acquire(name: string, owner: string, durationMs: number): Change<Lease> {
    const now = this.#now()
    const held = this.#leases.get(name)
    if (held !== undefined && held.owner !== owner && held.expiresAt > now) return { apply: () => held }
    const lease: Lease = Object.freeze({ owner, expiresAt: now + durationMs })
    const apply = () => {
      this.#put(name, lease)
      return lease
    }
    return { json: JSON.stringify({ lease: name, ...lease } satisfies LeaseChange), apply }
  }

  release(name: string, owner: string): Change<void> {
    if (this.#leases.get(name)?.owner !== owner) return { apply: () => undefined }
    return { json: JSON.stringify({ lease: name } satisfies LeaseChange), apply: () => this.#put(name, undefined) }
  }

  #put(name: string, lease: Lease | undefined): void {
    const before = this.#leases.get(name)
    if (before !== undefined) this.#size -= name.length + before.owner.length + lineOverhead
    if (lease === undefined) this.#leases.delete(name)
    else this.#leases.set(name, lease)
    if (lease !== undefined) this.#size += name.length + lease.owner.length + lineOverhead
  }
}
