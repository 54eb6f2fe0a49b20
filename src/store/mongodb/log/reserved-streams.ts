/**
 * Reservations of streams: one document for each, by the server's clock. There are few at a time, and usually none.
 *
 * A writer looks at them before an insert, and relies on the result for `lookMs`. A call that reserves waits equally
 * long before it reports success. An append that begins after a reservation was granted has therefore seen it, and a
 * busy writer asks only a few times in a second. Between the look and the insert a stream may still be reserved.
 * Reservations only decide the order of writers; what is stored depends on the expectation of each commit.
 */

import type { StreamId } from '../../../domain/stream.ts'
import { elapsedMs, rest } from '../../../runtime/timers.ts'
import { aheadMsMax, isOver, type Reservation } from '../../reservations.ts'
import type { Database } from '../database/database.ts'
import { byId } from '../database/indexes.ts'
import type { Entry } from './batch-plan.ts'
import { keyOf } from './streams.ts'

/** The number of reservations that are read together. If there are more, a batch reads those of its own streams. */
const listedMax = 100

interface ReservationDocument extends Reservation {
  /** The stream, as JSON of the pair. */
  readonly _id: string
}

const idOf = (key: string): string => JSON.stringify(key.split('\0'))

export class ReservedStreams {
  readonly #database: Database
  /** How long a look is valid. */
  readonly #lookMs: number
  /** The reservations at the last look, by stream. */
  #held: ReadonlyMap<string, Reservation> = new Map()
  /** When the last look began, by this process's clock. */
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(database: Database, lookMs: number) {
    this.#database = database
    this.#lookMs = lookMs
  }

  /**
   * The entries of a batch whose streams are reserved for other writers. No entry is refused because of an old look.
   */
  async ofOthers(entries: readonly Entry[]): Promise<ReadonlySet<Entry>> {
    const isOthers = ({ key, writer }: Entry) => {
      const held = this.#held.get(idOf(key))
      return held !== undefined && held.writer !== writer
    }
    if (elapsedMs() - this.#lookedAt <= this.#lookMs && (this.#held.size === 0 || !entries.some(isOthers)))
      return new Set()
    await this.#look(entries)
    return new Set(entries.filter(isOthers))
  }

  /** Ends the reservations of writers that have just written to the streams. */
  async end(stored: readonly Entry[]): Promise<void> {
    if (this.#held.size === 0) return
    const filters = stored
      .filter(({ key, writer }) => writer !== undefined && this.#held.get(idOf(key))?.writer === writer)
      .map(({ key, writer }) => ({ _id: idOf(key), writer }))
    if (filters.length === 0) return
    this.#forget()
    // If this fails, they expire.
    await this.#database.remove('reservations', filters).catch(() => {})
  }

  /** @returns for each stream whether it is the writer's now */
  async reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    const keys = [...new Set(streams.map(keyOf))]
    if (keys.length === 0) return []
    const now = Math.floor(await this.#database.now())
    const expiresAt = BigInt(now + Math.min(Math.ceil(this.#lookMs + durationMs), aheadMsMax))
    const ids = keys.map(idOf)
    const held = await this.#find({ _id: { $in: ids } }, ids.length)
    const others = new Set(held.filter((each) => each.writer !== writer && !isOver(each, now)).map(({ _id }) => _id))
    const free = keys.filter((key) => !others.has(idOf(key)))
    const updates = free.map((key) => ({
      q: { _id: idOf(key), $or: [{ writer }, ...overAt(now)] },
      u: { $set: { writer, expiresAt } },
      upsert: true,
    }))
    const isMine = await this.#database.updateEach('reservations', updates)
    this.#forget()
    const mine = new Set(free.filter((_, i) => isMine[i]))
    if (mine.size > 0) await rest(this.#lookMs)
    return streams.map((stream) => mine.has(keyOf(stream)))
  }

  #forget(): void {
    this.#lookedAt = Number.NEGATIVE_INFINITY
  }

  #find(filter: object, limit: number): Promise<readonly ReservationDocument[]> {
    return this.#database.find<ReservationDocument>('reservations', { filter, limit, hint: byId })
  }

  async #look(entries: readonly Entry[]): Promise<void> {
    const start = elapsedMs()
    const listed = await this.#find({}, listedMax)
    const isWhole = listed.length < listedMax
    const ids = [...new Set(entries.map(({ key }) => idOf(key)))]
    const found = isWhole ? listed : await this.#find({ _id: { $in: ids } }, ids.length)
    const now = found.length === 0 ? 0 : await this.#database.now()
    const [over, held] = [found.filter((each) => isOver(each, now)), found.filter((each) => !isOver(each, now))]
    this.#held = new Map(held.map((each) => [each._id, each]))
    this.#lookedAt = isWhole ? start : Number.NEGATIVE_INFINITY
    if (over.length === 0) return
    const filters = over.map(({ _id, writer, expiresAt }) => ({ _id, writer, expiresAt: BigInt(expiresAt) }))
    void this.#database.remove('reservations', filters).catch(() => {})
  }
}

/** The conditions of a query for expired reservations; the same rule as `isOver`. */
const overAt = (now: number): readonly object[] => [
  { expiresAt: { $lte: BigInt(now) } },
  { expiresAt: { $gt: BigInt(now + aheadMsMax) } },
]
