/** Statements whose texts are not known beforehand: prepared once each, as long as they are in use. */

/** Keeps what was made of so many texts, those that were used last. */
export class StatementCache<Prepared> {
  readonly #sizeMax: number
  readonly #prepare: (text: string) => Prepared
  readonly #kept = new Map<string, Prepared>()

  /** @param prepare what it throws is not kept */
  constructor(sizeMax: number, prepare: (text: string) => Prepared) {
    this.#sizeMax = sizeMax
    this.#prepare = prepare
  }

  get size(): number {
    return this.#kept.size
  }

  get(text: string): Prepared {
    const prepared = this.#kept.get(text) ?? this.#prepare(text)
    this.#kept.delete(text)
    this.#kept.set(text, prepared)
    if (this.#kept.size > this.#sizeMax) this.#kept.delete(this.#kept.keys().next().value!)
    return prepared
  }
}
