/**
 * Reservations of streams, for a store that has them in memory. There are few at a time: one for each stream that
 * several writers compete for. An expired reservation is dropped when it is found, or when it is the oldest.
 */
import type { StreamId } from '../domain/stream.ts'

/** The writer that has a stream, and until when, in milliseconds since 1970. */
export interface Reservation {
  readonly writer: string
  readonly expiresAt: number
}

/** A reservation that ends further ahead than this was made before the clock went back. It counts as expired. */
export const aheadMsMax: number = 60_000

export class Reservations {
  /** The reservations by JSON of aggregate and id, the last renewed at the end. */
  readonly #held = new Map<string, Reservation>()

  get isEmpty(): boolean {
    return this.#held.size === 0
  }

  /** @returns for each stream whether it is the writer's now; `durationMs` and `now` are in milliseconds */
  reserve(
    streams: readonly StreamId[],
    writer: string,
    { durationMs, now }: { readonly durationMs: number; readonly now: number },
  ): readonly boolean[] {
    return streams.map((stream) => {
      const key = keyOf(stream)
      if (this.#isOthers(key, writer, now)) return false
      this.#held.delete(key)
      this.#held.set(key, { writer, expiresAt: now + durationMs })
      return true
    })
  }

  /** For a batch: a function that says whether a stream is reserved for another writer. */
  begin(writer: string | undefined, now: number): (stream: StreamId) => boolean {
    this.#dropOldest(now)
    if (this.#held.size === 0) return () => false
    return (stream) => this.#isOthers(keyOf(stream), writer, now)
  }

  /** Ends the writer's reservations of the streams that it has written to. */
  end(writer: string | undefined, stored: readonly { readonly stream: StreamId }[]): void {
    if (this.#held.size === 0) return
    for (const { stream } of stored) {
      const key = keyOf(stream)
      if (this.#held.get(key)?.writer === writer) this.#held.delete(key)
    }
  }

  #isOthers(key: string, writer: string | undefined, now: number): boolean {
    const held = this.#held.get(key)
    if (held === undefined || held.writer === writer) return false
    if (!isOver(held, now)) return true
    this.#held.delete(key)
    return false
  }

  #dropOldest(now: number): void {
    for (const [key, held] of this.#held) {
      if (!isOver(held, now)) return
      this.#held.delete(key)
    }
  }
}

export const isOver = ({ expiresAt }: Reservation, now: number): boolean =>
  expiresAt <= now || expiresAt > now + aheadMsMax
const keyOf = ({ aggregate, id }: StreamId): string => JSON.stringify([aggregate, id])
