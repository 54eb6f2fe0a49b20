/** Statements whose texts are not known in advance: each is prepared once, as long as it is in use. */

/** Keeps the prepared statements that were used last. */
export class StatementCache<Prepared> {
  readonly #sizeMax: number
  readonly #prepare: (text: string) => Prepared
  readonly #kept = new Map<string, Prepared>()

  /** @param prepare called for a new text; an error is not kept */
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
