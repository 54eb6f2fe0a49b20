/**
 * How far something has handled the log, and what is stored with it. It moves by compare-and-set on the position and on
 * the term, which whoever takes over raises: so nobody can save anything any more who was overtaken, not even what
 * moves nothing. Positions that were passed over are saved now and then, not one by one.
 */
import { ConflictError } from '../../domain/error.ts'
import type { JsonObject } from '../../domain/json.ts'
import { noCheckpoint } from '../../store/checkpoint.ts'
import type {
  LogPlace,
  ProjectionStore,
  Row,
  SqlTransaction,
  Checkpoint as StoredCheckpoint,
} from '../../store/store.ts'

/** Positions that may be passed over without saving. */
const unsavedMax = 1000

/** What is done in a step, given the transaction in which it is saved if there is one. */
export type Work = (transaction: SqlTransaction | undefined) => Promise<void>

/**
 * When a step is saved: `soon` lets positions without rows wait until there are more of them; `durably` makes it last
 * through a power failure, where other steps may be done again.
 */
export type When = 'soon' | 'now' | 'durably'

/** Rows that a reset has left to be deleted: all, or those of what comes behind the checkpoint. */
export type Forgetting = 'all' | 'behind'

/** What is kept with a checkpoint. */
interface Note {
  /** Of the commit at its position. */
  readonly checksum?: number
  /** The position behind which it began: nothing up to there was ever handled. */
  readonly began?: number
  readonly forgetting?: Forgetting
}

export class Checkpoint {
  readonly #store: ProjectionStore
  readonly #onReached: (position: number) => void
  #name: string
  #saved: StoredCheckpoint = noCheckpoint
  #handled: LogPlace = placeOf(noCheckpoint)

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

  /** Rises whenever somebody takes over. */
  get term(): number {
    return this.#saved.term
  }

  /** The last place that is handled, saved or not. */
  get place(): LogPlace {
    return this.#handled
  }

  /** What a reset has left to be deleted. */
  get forgetting(): Forgetting | undefined {
    return (this.#saved.note as Note).forgetting
  }

  /** Goes to where it is stored, and under which name. It stays ahead of that only if nobody else has moved it. */
  goTo(name: string, stored: StoredCheckpoint): void {
    const isMoved = !this.isAt(name, stored)
    this.#name = name
    this.#saved = stored
    if (isMoved) this.#reach(placeOf(stored))
  }

  /** Whether it is stored where it was left here. */
  isAt(name: string, { position, term }: StoredCheckpoint): boolean {
    return name === this.#name && position === this.#saved.position && term === this.#saved.term
  }

  /** Whether nobody has taken it over since it was. */
  async isCurrent(): Promise<boolean> {
    return (await this.#store.loadCheckpoint(this.#name)).term === this.#saved.term
  }

  /**
   * Raises the term: from here on nobody saves anything who was at work before. What was passed over is saved with it.
   *
   * @param rows that change with it
   * @returns false if somebody else has moved it since it was looked at
   */
  raise(rows: readonly Row[]): Promise<boolean> {
    return this.#save({ ...this.#at(this.#handled), term: this.#saved.term + 1 }, rows)
  }

  /**
   * Goes anywhere, back too, in a new term. Rows that are forgotten by that are deleted after it; that they are to be
   * is saved with it.
   *
   * @param rows that change with it
   * @returns false if somebody else has moved it
   */
  async goAnywhere(to: LogPlace, forgetting: Forgetting, rows: readonly Row[]): Promise<boolean> {
    const began = forgetting === 'all' ? to.position : Math.min(beganOf(this.#saved), to.position)
    if (!(await this.#save({ ...this.#at(to, { began, forgetting }), term: this.#saved.term + 1 }, rows))) return false
    this.#reach(to)
    return true
  }

  /** All that was to be forgotten is deleted; false if somebody else has moved it. */
  forgotten(): Promise<boolean> {
    return this.#save(this.#at(this.#handled, { forgetting: undefined }), [])
  }

  /** Begins behind a place, if it is at the beginning. */
  async beginBehind(place: LogPlace): Promise<void> {
    if (this.#saved.position > 0 || place.position <= this.#handled.position) return
    await this.#save(this.#at(place, { began: place.position }), [], 'now')
  }

  /**
   * Moves on, with rows that change in the same step.
   *
   * @returns false if another runner was faster, and nothing was saved
   */
  advance(to: LogPlace, rows: readonly Row[], when: When): Promise<boolean> {
    const passed = to.position - this.#saved.position
    if (rows.length > 0 || passed >= unsavedMax || (when !== 'soon' && passed > 0)) {
      return this.#save(this.#at(to), rows, when)
    }
    if (to.position > this.#handled.position) this.#reach(to)
    return Promise.resolve(true)
  }

  /**
   * Moves on with rows, and with what some work writes in the same transaction.
   *
   * @returns false if another runner was faster, and nothing was saved
   * @throws what the work throws, and nothing was saved
   */
  advanceWith(to: LogPlace, rows: readonly Row[], work: Work): Promise<boolean> {
    const next = this.#at(to)
    const saving = this.#store.transact!(this.#name, this.#saved, async (transaction) => {
      await work(transaction)
      return { to: next, rows }
    })
    return this.#arrive(next, saving)
  }

  /** Saves what was passed over. If another runner is further, or will be, that is as good. */
  async flush(): Promise<void> {
    await this.advance(this.#handled, [], 'now')
  }

  #at(
    { position, checksum }: LogPlace,
    change: { readonly [Key in keyof Note]?: Note[Key] | undefined } = {},
  ): StoredCheckpoint {
    const { checksum: _, began, forgetting, ...others } = { ...this.#saved.note, ...change }
    const note: JsonObject = {
      ...others,
      ...(checksum !== undefined && { checksum }),
      ...(began !== undefined && began !== 0 && { began }),
      ...(forgetting !== undefined && { forgetting }),
    }
    return { ...this.#saved, position, note }
  }

  #save(to: StoredCheckpoint, rows: readonly Row[], when: When = 'durably'): Promise<boolean> {
    const mayBeLost = when !== 'durably'
    return this.#arrive(to, this.#store.saveStep(this.#name, { from: this.#saved, to, rows, mayBeLost }))
  }

  async #arrive(to: StoredCheckpoint, saving: Promise<void>): Promise<boolean> {
    try {
      await saving
    } catch (error) {
      if (error instanceof ConflictError && error.code === 'CHECKPOINT_CONFLICT') return false
      throw error
    }
    this.#saved = to
    if (to.position > this.#handled.position) this.#reach(placeOf(to))
    return true
  }

  #reach({ position, checksum }: LogPlace): void {
    this.#handled = checksum === undefined ? { position } : { position, checksum }
    this.#onReached(position)
  }
}

/** The position behind which a stored checkpoint began. */
export const beganOf = ({ note }: StoredCheckpoint): number => (note as Note).began ?? 0

/** Where a stored checkpoint is in the log. */
function placeOf({ position, note: { checksum } }: StoredCheckpoint): LogPlace {
  return typeof checksum === 'number' ? { position, checksum } : { position }
}
