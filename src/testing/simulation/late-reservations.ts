/**
 * Reservations of streams that others notice late. The stores of MongoDB and NATS look before an append which streams
 * are reserved, and rely on that for a while. What is reserved after the look does not hold the append up, whenever it
 * arrives. A call that reserves takes so long that an append which begins after it has seen the reservation.
 */
import type { StreamId } from '../../domain/stream.ts'
import type { Commit } from '../../store/commit.ts'
import { aheadMsMax, isOver, type Reservation } from '../../store/reservations.ts'
import type { Random } from '../random.ts'

/** How long a call that reserves takes longer, in milliseconds. */
export const noticedMs = 50
/** How old a look may be. It is less, so clocks that round do no harm. */
const lookMsMax = 45

interface Held extends Reservation {
  /** When it was made. */
  readonly since: number
}

export class LateReservations {
  readonly #random: Random
  readonly #held = new Map<string, Held>()
  /** Called when a commit passes a reservation that its process has not noticed. */
  onPassed: () => void = () => {}

  constructor(random: Random) {
    this.#random = random
  }

  reserve(streams: readonly StreamId[], writer: string, durationMs: number, now: number): readonly boolean[] {
    return streams.map((stream) => {
      const key = keyOf(stream)
      const held = this.#heldAt(key, now)
      if (held !== undefined && held.writer !== writer) return false
      const expiresAt = now + Math.min(noticedMs + durationMs, aheadMsMax)
      this.#held.set(key, { writer, expiresAt, since: held?.since ?? now })
      return true
    })
  }

  /**
   * The commits whose streams are reserved for other writers, as far as the process has noticed.
   *
   * @param askedAt when the append began
   */
  ofOthers(commits: readonly Commit[], writer: string | undefined, now: number, askedAt: number): ReadonlySet<Commit> {
    const found = new Map<Commit, Held>()
    for (const commit of commits) {
      const held = this.#heldAt(keyOf(commit.stream), now)
      if (held !== undefined && held.writer !== writer) found.set(commit, held)
    }
    if (found.size === 0) return new Set()
    const lookedAt = askedAt - this.#random.int(0, lookMsMax)
    // Who has noticed one looks again, and knows all.
    if ([...found.values()].some(({ since }) => since <= lookedAt)) return new Set(found.keys())
    this.onPassed()
    return new Set()
  }

  /** Ends the writer's reservations of the streams that it has written to. */
  end(writer: string | undefined, stored: readonly Commit[]): void {
    for (const { stream } of stored) {
      const key = keyOf(stream)
      if (this.#held.get(key)?.writer === writer) this.#held.delete(key)
    }
  }

  #heldAt(key: string, now: number): Held | undefined {
    const held = this.#held.get(key)
    return held === undefined || isOver(held, now) ? undefined : held
  }
}

const keyOf = ({ aggregate, id }: StreamId): string => JSON.stringify([aggregate, id])
