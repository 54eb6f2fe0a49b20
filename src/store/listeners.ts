/** The listeners that are told of appends. A listener that throws harms nobody else. */

export class Listeners {
  readonly #listeners = new Set<() => void>()

  /** @returns a function that ends it */
  add(listener: () => void): () => void {
    const own = () => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  notify(): void {
    for (const listener of this.#listeners) {
      try {
        listener()
      } catch {
        // A wake-up is only a hint: a listener that misses it polls.
      }
    }
  }
}
