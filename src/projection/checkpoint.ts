/**
 * How far something has handled the log, and what is stored with it. It moves by compare-and-set, so that nobody can move it back or
 * pair it with rows of another place. Positions that were passed over are saved now and then, not one by one.
 */
import { ConflictError } from '../domain/error.ts'
import type { ProjectionStep, ProjectionStore, Row, SqlTransaction } from '../store/store.ts'

/** Positions that may be passed over without saving. */
const unsavedMax = 1000

/** What a step leaves, given the transaction in which it is saved. */
export type Work = (transaction: SqlTransaction) => Promise<Omit<ProjectionStep, 'from'>>

export class Checkpoint {
  readonly #store: ProjectionStore
  readonly #onReached: (position: number) => void
  #name: string
  #saved = 0
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

  /** The last position that is handled, saved or not. */
  get position(): number {
    return this.#handled
  }

  /** Goes to where it is stored, under another name if there is one. */
  async load(name: string = this.#name): Promise<void> {
    const saved = await this.#store.loadCheckpoint(name)
    this.#name = name
    this.#saved = saved
    this.#reach(saved)
  }

  /**
   * Whether it is stored where this runner has left it. What was read of the rows before belongs to it then: they
   * change together.
   */
  async isCurrent(): Promise<boolean> {
    return (await this.#store.loadCheckpoint(this.#name)) === this.#saved
  }

  /** Begins behind a position, if it is at the beginning. */
  async beginBehind(position: number): Promise<void> {
    if (this.#saved === 0 && position > this.#handled) await this.advance(position, [], true)
  }

  /**
   * Moves on, with rows that change in the same step; without rows only when enough has gathered, or at once.
   *
   * @returns false if another runner was faster, and nothing was saved: `load` says where it is
   */
  async advance(to: number, rows: readonly Row[], atOnce: boolean): Promise<boolean> {
    const from = this.#saved
    if (rows.length > 0 || to - from >= unsavedMax || (atOnce && to > from)) {
      if (!(await winning(this.#store.saveStep(this.#name, { from, to, rows })))) return false
      this.#saved = to
    }
    if (to > this.#handled) this.#reach(to)
    return true
  }

  /**
   * Moves on with what some work writes in the same transaction.
   *
   * @returns false if another runner was faster, and nothing was saved
   * @throws what the work throws, and nothing was saved
   */
  async advanceBy(work: Work): Promise<boolean> {
    let to = this.#saved
    const noting: Work = async (transaction) => {
      const step = await work(transaction)
      to = step.to
      return step
    }
    if (!(await winning(this.#store.transact!(this.#name, this.#saved, noting)))) return false
    this.#saved = to
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

async function winning(saving: Promise<void>): Promise<boolean> {
  try {
    await saving
    return true
  } catch (error) {
    if (error instanceof ConflictError && error.code === 'CHECKPOINT_CONFLICT') return false
    throw error
  }
}
