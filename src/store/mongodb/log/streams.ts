/**
 * What is known of where streams end, from reading them, appending to them and looking for them. There are two kinds of
 * facts:
 *
 * - **The sequence that a stream has at least.** It may be out of date (see `appender.ts`), so it is never dropped.
 * - **Where a stream ends**, as of the commits up to which the log was followed (`log-end.ts`). Following the log
 *   reports every commit that it meets, also of unknown streams. A result of a look is therefore not taken as the end
 *   if a later commit was met meanwhile. If a part of the log was skipped, all such facts end at once.
 *
 * Emptied when it is full.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { StreamEnd } from '../../store.ts'

const streamsMax = 100_000
/** The era of an entry without a known end. */
const noEra = -1

interface Known extends StreamEnd {
  readonly era: number
}

/** A stream as a key of a map. No id contains a null character, so the keys of two streams differ. */
export const keyOf = ({ aggregate, id }: StreamId): string => `${aggregate}\0${id}`

export class Streams {
  readonly #known = new Map<string, Known>()
  #era = 0

  /** Facts about ends are valid within one era. Pass the era of the beginning of a look to `learnEnd`. */
  get era(): number {
    return this.#era
  }

  /** The last known sequence of a stream, 0 for a stream that was not found, or undefined for an unknown one. */
  sequenceOf(key: string): number | undefined {
    return this.#known.get(key)?.sequence
  }

  endOf(key: string): StreamEnd | undefined {
    const known = this.#known.get(key)
    if (known?.era !== this.#era) return undefined
    return { sequence: known.sequence, checksum: known.checksum }
  }

  /** Notes a sequence that a stream has at least. */
  learn(key: string, sequence: number): void {
    const known = this.#known.get(key)
    if (known === undefined || known.sequence < sequence) this.#set(key, { sequence, checksum: 0, era: noEra })
  }

  /** Notes the end of a stream from a look that began in an era, as of the commits followed until then. */
  learnEnd(key: string, { sequence, checksum }: StreamEnd, era: number): void {
    const known = this.#known.get(key)
    if (era !== this.#era) this.learn(key, sequence)
    else if (known === undefined || known.sequence <= sequence) this.#set(key, { sequence, checksum, era })
  }

  /** Ends the facts about ends, because a part of the log was skipped. */
  forgetEnds(): void {
    this.#era++
  }

  forget(): void {
    this.#known.clear()
    this.#era++
  }

  #set(key: string, known: Known): void {
    if (this.#known.size >= streamsMax) this.forget()
    this.#known.set(key, known)
  }
}
