/**
 * The states with which events in progress start: as they are stored, or as an earlier event has left them, which may
 * not be saved yet. A state stays in memory as long as an event uses it.
 */
import type { Json } from '../../domain/json.ts'

interface Known {
  value: Json | undefined
  users: number
}

export class ReactionStates {
  /** The states, by the keys of their rows. */
  readonly #known = new Map<string, Known>()

  /**
   * Notes that events use states, one key for each use. Reads the states that are not in memory, all at once.
   *
   * @param load returns the stored values, in the order of the keys
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

  /** Sets the state that an event has left. No other event uses it at the same time. */
  set(key: string, value: Json | undefined): void {
    const known = this.#known.get(key)
    if (known !== undefined) known.value = value
  }

  /** Notes that an event which used the state is saved. */
  release(key: string): void {
    const known = this.#known.get(key)
    if (known !== undefined && --known.users === 0) this.#known.delete(key)
  }

  clear(): void {
    this.#known.clear()
  }
}
