/**
 * Leases by the server's clock, which every server returns for `hello`. The clock is read before the lease is taken.
 * However slow the connection is, a lease is therefore taken a little late and kept a little short, never the opposite.
 * Taking it is one update: of a lease that is the owner's or has expired, or otherwise an insert that collides with the
 * lease of another owner. A lease that was taken in the future was taken by a clock that was ahead (another server's,
 * before a failover), and counts as expired.
 */
import { StoreError } from '../../../domain/error.ts'
import type { Lease } from '../../store.ts'
import type { Database } from '../database/database.ts'
import { checkFields, text, whole } from '../database/fields.ts'

/** A lease may be given back between the try to take it and the look at its owner. */
const triesMax = 10
/** How far the times of two callers may be apart, because they read the clock before they have a turn. */
const clockMsOff = 60_000

interface Held extends Lease {
  readonly takenAt: number
}

export class Leases {
  readonly #database: Database
  readonly #label: string

  constructor(database: Database, label: string) {
    this.#database = database
    this.#label = label
  }

  async acquire(name: string, owner: string, durationMs: number): Promise<Lease> {
    for (let tries = 1; tries <= triesMax; tries++) {
      const now = await this.#database.now()
      const expiresAt = Math.floor(now + durationMs)
      const isFree = { _id: name, $or: [{ owner }, ...overAt(now)] }
      const u = { $set: { owner, expiresAt: BigInt(expiresAt), takenAt: BigInt(Math.floor(now)) } }
      const { duplicate } = await this.#database.update('leases', [{ q: isFree, u, upsert: true }])
      if (duplicate === undefined) return { owner, expiresAt }
      const held = await this.#find(name)
      if (held !== undefined && held.owner !== owner) return { owner: held.owner, expiresAt: held.expiresAt }
    }
    throw new StoreError('STORE_UNAVAILABLE', { store: this.#label, doing: `taking the lease ${name}` })
  }

  /** The owner of a lease, if it has one. */
  async holder(name: string): Promise<string | undefined> {
    const held = await this.#find(name)
    if (held === undefined) return undefined
    const now = await this.#database.now()
    return held.expiresAt <= now || held.takenAt > now + clockMsOff ? undefined : held.owner
  }

  async #find(name: string): Promise<Held | undefined> {
    const held = await this.#database.get<Held>('leases', name)
    const where = `the lease ${JSON.stringify(name)}`
    return held && checkFields(held, { owner: text, expiresAt: whole, takenAt: whole }, { store: this.#label, where })
  }

  async release(name: string, owner: string): Promise<void> {
    await this.#database.remove('leases', [{ _id: name, owner }])
  }
}

/** The conditions of a query for expired leases. */
const overAt = (now: number): readonly object[] => [
  { expiresAt: { $lte: BigInt(Math.floor(now)) } },
  { takenAt: { $gt: BigInt(Math.floor(now) + clockMsOff) } },
]
