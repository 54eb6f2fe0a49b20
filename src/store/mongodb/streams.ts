/**
 * How far streams are, as far as it was seen: when they were read, appended to, or looked for. It need not be up to date (see
 * `appender.ts`), so it is never invalidated, and emptied when it is full.
 */

const streamsMax = 100_000

export class Streams {
  readonly #sequences = new Map<string, number>()

  /** The last sequence that was seen of a stream, 0 for one that was looked for in vain; undefined for a strange one. */
  sequenceOf(key: string): number | undefined {
    return this.#sequences.get(key)
  }

  learn(key: string, sequence: number): void {
    const known = this.#sequences.get(key)
    if (known !== undefined && known >= sequence) return
    if (this.#sequences.size >= streamsMax) this.#sequences.clear()
    this.#sequences.set(key, sequence)
  }

  forget(): void {
    this.#sequences.clear()
  }
}
