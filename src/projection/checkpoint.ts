/**
 * How far something has handled the log, and what is stored with it. It moves by compare-and-set, so that nobody can move it back or
 * pair it with rows of another place. Positions that were passed over are saved now and then, not one by one.
 */
import { ConflictError } from '../domain/error.ts'
import { noCheckpoint } from '../store/checkpoint.ts'
import type { ProjectionStore, Row, SqlTransaction, Checkpoint as StoredCheckpoint } from '../store/store.ts'

/** Positions that may be passed over without saving. */
const unsavedMax = 1000

/** What is done in a step, given the transaction in which it is saved if there is one. */
export type Work = (transaction: SqlTransaction | undefined) => Promise<void>

export class Checkpoint {
  readonly #store: ProjectionStore
  readonly #onReached: (position: number) => void
  #name: string
  #saved: StoredCheckpoint = noCheckpoint
  #handled = 0

  /**
   * @param name under which it is stored
   * @param onReached told each position up to which everything is handled
   */
  constructor(name: string, store: ProjectionStore, onReached: (position: number) => void) {
    this.#name = name
    this.#store = store
    this.#onReached = onReached
  }

  /** Under which it is stored. */
  get name(): string {
    return this.#name
  }

  /** The last position that is handled, saved or not. */
  get position(): number {
    return this.#handled
  }

  /** Goes to where it is stored, and under which name. */
  goTo(name: string, stored: StoredCheckpoint): void {
    this.#name = name
    this.#saved = stored
    this.#reach(stored.position)
  }

  /** Whether it is stored where it was left here. */
  async isCurrent(): Promise<boolean> {
    const { position, term } = await this.#store.loadCheckpoint(this.#name)
    return position === this.#saved.position && term === this.#saved.term
  }

  /** Begins behind a position, if it is at the beginning. */
  async beginBehind(position: number): Promise<void> {
    if (this.#saved.position === 0 && position > this.#handled) await this.advance(position, [], true)
  }

  /**
   * Moves on, with rows that change in the same step; without rows only when enough has gathered, or at once.
   *
   * @returns false if another runner was faster, and nothing was saved
   */
  advance(to: number, rows: readonly Row[], atOnce: boolean): Promise<boolean> {
    const from = this.#saved
    const isDue = rows.length > 0 || to - from.position >= unsavedMax || (atOnce && to > from.position)
    const next = { ...from, position: to }
    return this.#arrive(next, isDue ? this.#store.saveStep(this.#name, { from, to: next, rows }) : undefined)
  }

  /**
   * Moves on with rows, and with what some work writes in the same transaction.
   *
   * @returns false if another runner was faster, and nothing was saved
   * @throws what the work throws, and nothing was saved
   */
  advanceWith(to: number, rows: readonly Row[], work: Work): Promise<boolean> {
    const next = { ...this.#saved, position: to }
    const saving = this.#store.transact!(this.#name, this.#saved, async (transaction) => {
      await work(transaction)
      return { to: next, rows }
    })
    return this.#arrive(next, saving)
  }

  /** Saves what was passed over. If another runner is further, or will be, that is as good. */
  async flush(): Promise<void> {
    await this.advance(this.#handled, [], true)
  }

  async #arrive(to: StoredCheckpoint, saving: Promise<void> | undefined): Promise<boolean> {
    try {
      await saving
    } catch (error) {
      if (error instanceof ConflictError && error.code === 'CHECKPOINT_CONFLICT') return false
      throw error
    }
    if (saving !== undefined) this.#saved = to
    if (to.position > this.#handled) this.#reach(to.position)
    return true
  }

  #reach(position: number): void {
    this.#handled = position
    this.#onReached(position)
  }
}
