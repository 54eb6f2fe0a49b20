/**
 * How far a projection or reaction has handled the log, and the note that is stored with that. It moves by
 * compare-and-set on position and term. A process that takes over raises the term, so a process that was overtaken can
 * save nothing more, not even a step that moves nothing. Positions without a wanted event are not saved one by one, but
 * from time to time.
 */
import { ConflictError } from '../../domain/error.ts'
import type { Json, JsonObject } from '../../domain/json.ts'
import { noCheckpoint } from '../../store/checkpoint.ts'
import type {
  LogPlace,
  ProjectionStore,
  Row,
  SqlTransaction,
  Checkpoint as StoredCheckpoint,
} from '../../store/store.ts'
import { areIndexes, type Index } from '../stored/index-entries.ts'
import { type Form, fieldsOf, formedNote, isTrue, isWhole, type RowPlace } from '../stored/row-value.ts'

/** The number of positions that may be passed without saving. */
const unsavedMax = 1000

/** The work of a step. It gets the transaction in which the step is saved, if the store has transactions. */
export type Work = (transaction: SqlTransaction | undefined) => Promise<void>

/**
 * When a step is saved. `soon`: positions without rows wait until there are more of them. `now`: at once, but a power
 * failure may undo it, so its work may be done again. `durably`: at once, and a power failure does not undo it.
 */
export type When = 'soon' | 'now' | 'durably'

/** The rows that a reset has left to delete: all, or those of events after the checkpoint. */
export type Forgetting = 'all' | 'behind'

/** What is stored with a checkpoint. */
interface Note {
  /** The checksum of the event at its position. */
  readonly checksum?: number
  /** The position after which it began. Events up to there were never handled. */
  readonly began?: number
  readonly forgetting?: Forgetting
  /** Whether all that is parked is being handed back (`handing-back.ts`). */
  readonly handingBack?: true
  /** The indexes of its rows, if there are any (`stored/index-entries.ts`). */
  readonly indexes?: readonly Index[]
}

const isForgetting: Form = (found) => found === 'all' || found === 'behind'
const isNote = fieldsOf(
  {},
  { checksum: isWhole, began: isWhole, forgetting: isForgetting, handingBack: isTrue, indexes: areIndexes },
)

/** Refuses a stored checkpoint whose note has something that was never stored. @throws StoreError `STORE_CORRUPT` */
export function checkNote(place: RowPlace, { note }: StoredCheckpoint): void {
  formedNote(place, note, isNote)
}

export class Checkpoint {
  readonly #store: ProjectionStore
  readonly #onReached: (position: number) => void
  readonly #ownIndexes: readonly Index[]
  #name: string
  #saved: StoredCheckpoint = noCheckpoint
  #handled: LogPlace = placeOf(noCheckpoint)

  /**
   * @param name the name under which it is stored
   * @param onReached called with each position up to which everything is handled
   * @param indexes the indexes that new rows get
   */
  constructor(
    name: string,
    store: ProjectionStore,
    onReached: (position: number) => void,
    indexes: readonly Index[] = [],
  ) {
    this.#name = name
    this.#store = store
    this.#onReached = onReached
    this.#ownIndexes = indexes
  }

  /** The name under which it is stored. */
  get name(): string {
    return this.#name
  }

  /** Rises whenever a process takes over. */
  get term(): number {
    return this.#saved.term
  }

  /** The last place that is handled, saved or not. */
  get place(): LogPlace {
    return this.#handled
  }

  /** The indexes of its rows. */
  get indexes(): readonly Index[] {
    return (this.#saved.note as Note).indexes ?? []
  }

  /** What a reset has left to delete. */
  get forgetting(): Forgetting | undefined {
    return (this.#saved.note as Note).forgetting
  }

  /**
   * Goes to the stored checkpoint of a name. Positions that were passed without saving are kept only if nobody has
   * moved the stored checkpoint.
   */
  goTo(name: string, stored: StoredCheckpoint): void {
    const isMoved = !this.isAt(name, stored)
    this.#name = name
    this.#saved = stored
    if (isMoved) this.#reach(placeOf(stored))
  }

  /** Whether the stored checkpoint is still the one that was last seen here. */
  isAt(name: string, { position, term }: StoredCheckpoint): boolean {
    return name === this.#name && position === this.#saved.position && term === this.#saved.term
  }

  /** Whether no other process has taken it over since. */
  async isCurrent(): Promise<boolean> {
    return (await this.#store.loadCheckpoint(this.#name)).term === this.#saved.term
  }

  /**
   * Raises the term: runners that worked with it before can save nothing from now on. Positions that were passed
   * without saving are saved with it.
   *
   * @param rows rows that change with it
   * @returns false if another process has moved it since it was read
   */
  raise(rows: readonly Row[]): Promise<boolean> {
    return this.#save({ ...this.#at(this.#handled), term: this.#saved.term + 1 }, rows)
  }

  /**
   * Goes to any place, even back, in a new term. It also saves which rows have to be deleted. They are deleted
   * afterwards.
   *
   * @param rows rows that change with it
   * @returns false if another process has moved it
   */
  async goAnywhere(to: LogPlace, forgetting: Forgetting, rows: readonly Row[]): Promise<boolean> {
    const began = forgetting === 'all' ? to.position : Math.min(beganOf(this.#saved), to.position)
    if (
      !(await this.#save(
        { ...this.#at(to, { began, forgetting, indexes: this.#ownIndexes }), term: this.#saved.term + 1 },
        rows,
      ))
    )
      return false
    this.#reach(to)
    return true
  }

  /** Notes that nothing is left to delete. Returns false if another process has moved it. */
  forgotten(): Promise<boolean> {
    return this.#save(this.#at(this.#handled, { forgetting: undefined }), [])
  }

  /** Whether all that is parked is being handed back. */
  get isHandingBack(): boolean {
    return (this.#saved.note as Note).handingBack === true
  }

  /** Notes that all that is parked is being handed back; from outside, in a new term. Returns false if it has moved. */
  beginHandingBack(from: 'leading' | 'outside'): Promise<boolean> {
    const { term, ...to } = this.#at(this.#handled, { handingBack: true })
    return this.#save({ ...to, term: from === 'leading' ? term : term + 1 }, [])
  }

  /** Notes that all that was parked is handed back. Returns false if another process has moved it. */
  handedBack(): Promise<boolean> {
    return this.#save(this.#at(this.#handled, { handingBack: undefined }), [])
  }

  /** Begins after a place, if it is at the beginning. Returns false if this runner was overtaken. */
  async beginBehind(place: LogPlace): Promise<boolean> {
    if (this.#saved.position > 0 || place.position <= this.#handled.position) return true
    return this.#save(this.#at(place, { began: place.position }), [], 'now')
  }

  /**
   * Moves on, with rows that change in the same step.
   *
   * @returns false if this runner was overtaken; then nothing was saved
   */
  advance(to: LogPlace, rows: readonly Row[], when: When): Promise<boolean> {
    const passed = to.position - this.#saved.position
    if (rows.length > 0 || passed >= unsavedMax || (when !== 'soon' && passed > 0)) {
      return this.#save(this.#at(to), rows, when)
    }
    this.pass(to)
    return Promise.resolve(true)
  }

  /**
   * Moves on with rows, and with what some work writes in the same transaction.
   *
   * @returns false if this runner was overtaken; then nothing was saved
   * @throws what the work throws; then nothing was saved
   */
  advanceWith(to: LogPlace, rows: readonly Row[], work: Work): Promise<boolean> {
    const next = this.#at(to)
    const saving = this.#store.transact!(this.#name, this.#saved, async (transaction) => {
      await work(transaction)
      return { to: next, rows }
    })
    return this.#arrive(next, saving)
  }

  /** Passes positions without saving, because they have no event to handle. */
  pass(to: LogPlace): void {
    if (to.position > this.#handled.position) this.#reach(to)
  }

  /** Saves the positions that were passed without saving. Returns false if this runner was overtaken. */
  flush(): Promise<boolean> {
    return this.advance(this.#handled, [], 'now')
  }

  #at(
    { position, checksum }: LogPlace,
    change: { readonly [Key in keyof Note]?: Note[Key] | undefined } = {},
  ): StoredCheckpoint {
    // Nothing is stored before the first term, so all rows will be in the indexes.
    const isFirst = this.#saved.term === 0 && this.#saved.position === 0
    const first = isFirst ? { indexes: this.#ownIndexes } : {}
    const all = { ...first, ...this.#saved.note, ...change } as Note
    const { checksum: _, began, forgetting, handingBack, indexes, ...others } = all
    const note: JsonObject = {
      ...others,
      ...(checksum !== undefined && { checksum }),
      ...(began !== undefined && began !== 0 && { began }),
      ...(forgetting !== undefined && { forgetting }),
      ...(handingBack !== undefined && { handingBack }),
      ...(indexes !== undefined && indexes.length > 0 && { indexes: indexes as unknown as Json }),
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

/** The position after which a stored checkpoint began. */
export const beganOf = ({ note }: StoredCheckpoint): number => (note as Note).began ?? 0

/** The place of a stored checkpoint in the log. */
function placeOf({ position, note: { checksum } }: StoredCheckpoint): LogPlace {
  return typeof checksum === 'number' ? { position, checksum } : { position }
}
