/**
 * How far streams are, as far as it was seen: when they were read, appended to, or looked for. Two kinds of knowledge:
 *
 * - **How far at least.** It need not be up to date (see `appender.ts`), so it is never taken back.
 * - **Where a stream ends**, as of the commits that the log was followed to (`log-end.ts`). Everything that follows the
 *   log tells all that it comes upon, of strange streams too; so what was looked up while the log was followed on is
 *   not taken to be the end if a later commit was met meanwhile. Where some of the log was jumped over, all such
 *   knowledge is over at once.
 *
 * Emptied when it is full.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { StreamEnd } from '../../store.ts'

const streamsMax = 100_000
/** The era of what is no end, or was none that is known. */
const noEra = -1

interface Known extends StreamEnd {
  readonly era: number
}

/** A stream as a key of a map: no id holds a null character, so no two streams meet. */
export const keyOf = ({ aggregate, id }: StreamId): string => `${aggregate}\0${id}`

export class Streams {
  readonly #known = new Map<string, Known>()
  #era = 0

  /** Knowledge of ends is good within one era: give it back to `learnEnd` as it was when the look began. */
  get era(): number {
    return this.#era
  }

  /**
   * The last sequence that was seen of a stream, 0 for one that was looked for in vain; undefined for a strange one.
   */
  sequenceOf(key: string): number | undefined {
    return this.#known.get(key)?.sequence
  }

  endOf(key: string): StreamEnd | undefined {
    const known = this.#known.get(key)
    if (known?.era !== this.#era) return undefined
    return { sequence: known.sequence, checksum: known.checksum }
  }

  /** A stream is at least so far. */
  learn(key: string, sequence: number): void {
    const known = this.#known.get(key)
    if (known === undefined || known.sequence < sequence) this.#set(key, { sequence, checksum: 0, era: noEra })
  }

  /** A stream ended so in a look that began in an era, with all that the log had been followed to then. */
  learnEnd(key: string, { sequence, checksum }: StreamEnd, era: number): void {
    const known = this.#known.get(key)
    if (era !== this.#era) this.learn(key, sequence)
    else if (known === undefined || known.sequence <= sequence) this.#set(key, { sequence, checksum, era })
  }

  /** Some of the log was jumped over: what was the end of a stream need not be its end any more. */
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
