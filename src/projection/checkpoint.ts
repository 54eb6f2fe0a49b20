/**
 * How far something has handled the log, and what is stored with it. It moves by compare-and-set, so that nobody can move it back or
 * pair it with rows of another place. Positions that were passed over are saved now and then, not one by one.
 */
import { ConflictError } from '../domain/error.ts'
import type { ProjectionStore, Row } from '../store/store.ts'

/** Positions that may be passed over without saving. */
const unsavedMax = 1000

export class Checkpoint {
  readonly #name: string
  readonly #store: ProjectionStore
  readonly #onReached: (position: number) => void
  #saved = 0
  #handled = 0

  /** @param onReached told each position up to which everything is handled */
  constructor(name: string, store: ProjectionStore, onReached: (position: number) => void) {
    this.#name = name
    this.#store = store
    this.#onReached = onReached
  }

  /** The last position that is handled, saved or not. */
  get position(): number {
    return this.#handled
  }

  /** Goes to where it is stored. */
  async load(): Promise<void> {
    this.#saved = await this.#store.loadCheckpoint(this.#name)
    this.#reach(this.#saved)
  }

  /** Begins behind a position, if it is at the beginning. */
  async beginBehind(position: number): Promise<void> {
    await this.load()
    if (this.#saved === 0 && position > 0) await this.advance(position, [], true)
  }

  /**
   * Moves on, with rows that change in the same step; without rows only when enough has gathered, or at once.
   *
   * @returns false if another runner was faster, and nothing was saved: `load` says where it is
   */
  async advance(to: number, rows: readonly Row[], atOnce: boolean): Promise<boolean> {
    const from = this.#saved
    if (rows.length > 0 || to - from >= unsavedMax || (atOnce && to > from)) {
      try {
        await this.#store.saveStep(this.#name, { from, to, rows })
      } catch (error) {
        if (error instanceof ConflictError) return false
        throw error
      }
      this.#saved = to
    }
    if (to > this.#handled) this.#reach(to)
    return true
  }

  /** Saves what was passed over. If another runner is further, or will be, that is as good. */
  async flush(): Promise<void> {
    await this.advance(this.#handled, [], true)
  }

  #reach(position: number): void {
    this.#handled = position
    this.#onReached(position)
  }
}
