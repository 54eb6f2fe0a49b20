/**
 * Leases by the server's clock, which `hello` tells on every server. It is asked for before the lease is: however long
 * the way to the server takes, a lease is then taken a little late and kept a little short, never the other way round.
 * Taking it is one update: of a lease that is the owner's or over, else an insert that collides with the one that is
 * another's. A lease that was taken in the future is of a clock that was ahead (another server's, before a failover),
 * and nobody waits for that.
 */
import { StoreError } from '../../../domain/error.ts'
import type { Lease } from '../../store.ts'
import type { Database } from '../database/database.ts'
import { checkFields, text, whole } from '../database/fields.ts'

/** A lease may be given back between the try to take it and the look at who has it. */
const triesMax = 10
/** How far what two callers take for now may be apart, since they ask before it is their turn. */
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

  /** Who has a lease, if somebody has. */
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

/** What is over, as conditions of a query. */
const overAt = (now: number): readonly object[] => [
  { expiresAt: { $lte: BigInt(Math.floor(now)) } },
  { takenAt: { $gt: BigInt(Math.floor(now) + clockMsOff) } },
]
