/**
 * Reservations of streams: one message for each, by the server's clock. The server removes it when its time is over.
 * There are few at a time, and usually none.
 *
 * A writer looks at them before an append if it has heard of a new one, and otherwise once in a while. It hears of each
 * when it is written; a call that reserves waits `lookMs` before it reports success, so that all have heard. A message
 * may be lost, and between the look and the append a stream may still be reserved. Reservations only decide the order
 * of writers; what is stored depends on the expectation of each commit.
 */
import type { StreamId } from '../../../domain/stream.ts'
import { elapsedMs, rest } from '../../../runtime/timers.ts'
import { aheadMsMax, isOver, type Reservation } from '../../reservations.ts'
import { isRecord, isText, isWhole, readChecked, writeChecked } from '../database/checked-text.ts'
import type { Stored } from '../database/connection.ts'
import { isWrongLastSequence } from '../database/failure.ts'
import type { Database } from '../database/setup.ts'
import type { Entry } from './batch-plan.ts'

const second = 1000
const spareSeconds = 5
/** How long a look is valid if nothing was heard. */
const validMs = 1000

/** A reservation, with the sequence of its message. */
interface Held extends Reservation {
  readonly at: number
}

export class ReservedStreams {
  readonly #database: Database
  readonly #label: string
  /** How long it takes until all have heard of a reservation. */
  readonly #lookMs: number
  /** The reservations at the last look, by subject. */
  #held: ReadonlyMap<string, Held> = new Map()
  /** How often something was heard that a look may not have seen. */
  #heard = 0
  /** When the last look began, by this process's clock. */
  #lookedAt = Number.NEGATIVE_INFINITY

  /** Ends the listening. */
  readonly close: () => void

  constructor(database: Database, label: string, lookMs: number) {
    this.#database = database
    this.#label = label
    this.#lookMs = lookMs
    const { connection, subjects } = database
    this.close = connection.listen(subjects.reservations, () => this.#forget())
  }

  /**
   * The entries of a batch whose streams are reserved for other writers. No entry is refused because of an old look.
   */
  async ofOthers(entries: readonly Entry[]): Promise<ReadonlySet<Entry>> {
    const isOthers = ({ commit, writer }: Entry) => {
      const held = this.#held.get(this.#database.subjects.reservation(commit.stream))
      return held !== undefined && held.writer !== writer
    }
    const isRecent = elapsedMs() - this.#lookedAt <= validMs
    if (isRecent && (this.#held.size === 0 || !entries.some(isOthers))) return new Set()
    await this.#look()
    if (this.#held.size === 0) return new Set()
    // Any server has answered, and it may not know yet that a reservation has ended.
    await this.#confirm(entries.filter(isOthers))
    return new Set(entries.filter(isOthers))
  }

  /** Ends the reservations of writers that have just written to the streams. */
  async end(stored: readonly Entry[]): Promise<void> {
    if (this.#held.size === 0) return
    for (const { commit, writer } of stored) {
      const subject = this.#database.subjects.reservation(commit.stream)
      const held = this.#held.get(subject)
      if (writer === undefined || held?.writer !== writer) continue
      this.#forget()
      // If this fails, it expires.
      await this.#database.state.publish([{ subject, data: '', expected: held.at, ttlSeconds: 1 }]).catch(() => {})
    }
  }

  /** @returns for each stream whether it is the writer's now */
  async reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    if (streams.length === 0) return []
    const { state, subjects } = this.#database
    const wanted = streams.map((stream) => subjects.reservation(stream))
    const { now } = await state.state()
    const expiresAt = Math.floor(now + Math.min(Math.ceil(this.#lookMs + durationMs), aheadMsMax))
    const ttlSeconds = Math.ceil((expiresAt - now) / second) + spareSeconds
    const last = await state.lastOf(wanted)
    const mine = new Set<string>()
    for (const subject of new Set(wanted)) {
      const message = last.get(subject)
      const held = message && heldIn(message, this.#label)
      if (held !== undefined && held.writer !== writer && !isOver(held, now)) continue
      const { data } = writeChecked({ writer, expiresAt })
      try {
        await state.publish([{ subject, data, expected: message?.sequence ?? 0, ttlSeconds }])
        mine.add(subject)
      } catch (error) {
        if (!isWrongLastSequence(error)) throw error
      }
    }
    this.#forget()
    if (mine.size > 0) await rest(this.#lookMs)
    return wanted.map((subject) => mine.has(subject))
  }

  #forget(): void {
    this.#heard++
    this.#lookedAt = Number.NEGATIVE_INFINITY
  }

  /** Drops those reservations of entries that have ended, by a look that is as good as the leader's. */
  async #confirm(entries: readonly Entry[]): Promise<void> {
    const { state, subjects } = this.#database
    if (entries.length === 0 || !state.isReplicated) return
    const wanted = [...new Set(entries.map(({ commit }) => subjects.reservation(commit.stream)))]
    const [{ now }, last] = await Promise.all([state.state(), state.lastOf(wanted)])
    const held = new Map(this.#held)
    for (const subject of wanted) {
      const message = last.get(subject)
      const reservation = message && heldIn(message, this.#label)
      if (reservation === undefined || isOver(reservation, now)) held.delete(subject)
      else held.set(subject, reservation)
    }
    this.#held = held
  }

  async #look(): Promise<void> {
    const [start, heard] = [elapsedMs(), this.#heard]
    const { state, subjects } = this.#database
    const found = await state.lastMatching(subjects.reservations)
    const now = found.length === 0 ? 0 : (await state.state()).now
    const held = new Map<string, Held>()
    for (const message of found) {
      const reservation = heldIn(message, this.#label)
      if (reservation !== undefined && !isOver(reservation, now)) held.set(message.subject, reservation)
    }
    this.#held = held
    if (heard === this.#heard) this.#lookedAt = start
  }
}

/** What a message says; nothing if the reservation was ended. */
function heldIn({ data, sequence }: Stored, store: string): Held | undefined {
  if (data.length === 0) return undefined
  const place = { store, where: 'a reservation' }
  return { ...readChecked(data, isReservation, place).value, at: sequence }
}

const isReservation = (value: unknown): value is Reservation =>
  isRecord(value) && isText(value['writer']) && isWhole(value['expiresAt'])
