/**
 * How much the account may still store, on a single server. Server 2.15.1 looks at the quota of an account for one
 * message of an atomic batch after the other, and keeps those before the one for which there is no room. So a batch of
 * several messages is sent only if there is room for all of it, and some more for what others write meanwhile. One
 * message is stored or refused as a whole anyway. The store asks for the usage about once a second while it writes, and
 * before each batch when little is left. On several servers all of a batch is judged before any of it is stored.
 */
import { elapsedMs } from '../../../runtime/timers.ts'
import type { Connection, Outgoing } from './connection.ts'
import { isInDoubt, quotaReached } from './failure.ts'

interface Usage {
  readonly storage: number
  readonly limits: { readonly max_storage?: number }
}

/** JetStream's answer about an account. Accounts with tiers have a quota for each number of replicas. */
interface AccountInfo extends Usage {
  readonly tiers?: Readonly<Record<string, Usage>>
}

/** How long an answer counts: if there is a quota, and if there is none. */
const validMs = 1000
const validWithoutQuotaMs = 60_000
/** How long it waits for the answer. A user who may not ask gets none. */
const patienceMs = 1000
/** What others may write between the question and the batch: a part of the quota, and no more than that. */
const spareShare = 1 / 32
const spareMax = 64_000_000
/** With less than this many times the spare room, it asks before each batch. */
const nearFactor = 4
/** What the server counts for a message beside its subject and content: its own fields and the headers of a batch. */
const bytesAround = 300

export class Room {
  readonly #connection: Connection
  #quota = Number.POSITIVE_INFINITY
  #left = Number.POSITIVE_INFINITY
  /** Until when the answer counts, by this process's clock. */
  #validUntil = Number.NEGATIVE_INFINITY
  #asked = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** The greatest number of bytes that the account may store; infinite if that is not limited, or unknown. */
  get quota(): number {
    return this.#quota
  }

  /** How often it was asked for while there was a quota. */
  get asked(): number {
    return this.#asked
  }

  /** Takes room for a batch. @throws Refused if there is too little */
  take(messages: readonly Outgoing[]): Promise<void> | undefined {
    if (messages.length < 2) return undefined
    if (this.#quota === Number.POSITIVE_INFINITY && elapsedMs() < this.#validUntil) return undefined
    return this.#take(messages)
  }

  async #take(messages: readonly Outgoing[]): Promise<void> {
    const bytes = messages.reduce((sum, { subject, data }) => sum + subject.length + Buffer.byteLength(data), 0)
    const needed = bytes + messages.length * bytesAround
    const spare = Math.min(this.#quota * spareShare, spareMax)
    if (elapsedMs() >= this.#validUntil || this.#left < needed + nearFactor * spare) await this.ask()
    if (this.#left < needed + Math.min(this.#quota * spareShare, spareMax)) throw quotaReached()
    this.#left -= needed
  }

  /** Asks what the account may store, and how much it does. */
  async ask(): Promise<void> {
    try {
      const info = await this.#connection.api<AccountInfo>('INFO', {}, patienceMs)
      const { storage, limits } = info.tiers?.['R1'] ?? info
      const quota = limits.max_storage ?? -1
      this.#quota = quota < 0 ? Number.POSITIVE_INFINITY : quota
      this.#left = this.#quota - storage
    } catch (error) {
      if (!isInDoubt(error)) throw error
      // Its user may not ask, or the server is busy: then nothing is known of a quota.
    }
    const hasQuota = this.#quota !== Number.POSITIVE_INFINITY
    if (hasQuota) this.#asked++
    this.#validUntil = elapsedMs() + (hasQuota ? validMs : validWithoutQuotaMs)
  }
}
