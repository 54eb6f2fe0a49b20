/**
 * States of a reaction that its events under way start from: as they are stored, or as an event before them has left
 * them, which may not be saved yet. One is known as long as some event uses it.
 */
import type { Json } from '../../domain/json.ts'

interface Known {
  value: Json | undefined
  users: number
}

export class ReactionStates {
  /** By the keys of their rows. */
  readonly #known = new Map<string, Known>()

  /**
   * Says that events use states, one key for each use, and reads those that are not known, all at once.
   *
   * @param load gives what is stored, in the order of the keys
   */
  async use(
    keys: readonly string[],
    load: (keys: readonly string[]) => Promise<readonly (Json | undefined)[]>,
  ): Promise<void> {
    const unknown: string[] = []
    for (const key of keys) {
      const known = this.#known.get(key)
      if (known !== undefined) known.users++
      else {
        this.#known.set(key, { value: undefined, users: 1 })
        unknown.push(key)
      }
    }
    if (unknown.length === 0) return
    try {
      const values = await load(unknown)
      for (const [i, key] of unknown.entries()) this.#known.get(key)!.value = values[i]
    } catch (error) {
      for (const key of keys) this.release(key)
      throw error
    }
  }

  get(key: string): Json | undefined {
    return this.#known.get(key)?.value
  }

  /** An event has left a state so; nobody else uses it at the same time. */
  set(key: string, value: Json | undefined): void {
    const known = this.#known.get(key)
    if (known !== undefined) known.value = value
  }

  /** An event that used a state is saved. */
  release(key: string): void {
    const known = this.#known.get(key)
    if (known !== undefined && --known.users === 0) this.#known.delete(key)
  }

  clear(): void {
    this.#known.clear()
  }
}
