/** The listeners that are called after appends. A listener that throws does not affect the others. */

export class Listeners {
  readonly #listeners = new Set<() => void>()

  /** @returns a function that ends it */
  add(listener: () => void): () => void {
    const own = () => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  get isEmpty(): boolean {
    return this.#listeners.size === 0
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
