/**
 * Whether a projection or reaction is paused, for all processes and over restarts: a small record in the store. To
 * pause, a process writes the record, and then raises the term of the checkpoint unless it leads itself. To take over,
 * a process raises the term, and then reads the record. So whichever comes first, nobody who does not know of the pause
 * can save anything once `pause` has returned. Nothing is read while events are handled.
 */
import { hasCode, ProjectionError } from '../../domain/error.ts'
import type { ProjectionStore } from '../../store/store.ts'
import { fieldsOf, formedNote, isTime } from '../stored/row-value.ts'

const isNote = fieldsOf({}, { since: isTime })

export class Pausing {
  readonly #store: ProjectionStore
  readonly #name: string
  readonly #record: string
  #since: Date | undefined
  #term = 0

  /** @param name the name under which the projection or reaction is stored */
  constructor(name: string, store: ProjectionStore) {
    this.#store = store
    this.#name = name
    this.#record = `paused ${name}`
  }

  /** Since when it is paused, as far as this process knows. */
  get since(): Date | undefined {
    return this.#since
  }

  /** @throws ProjectionError `PROJECTION_PAUSED` if it is paused, as far as this process knows */
  refuse(): void {
    if (this.#since === undefined) return
    throw new ProjectionError('PROJECTION_PAUSED', { projection: this.#name, since: this.#since })
  }

  /** Reads since when it is paused. @throws StoreError */
  async look(): Promise<Date | undefined> {
    await this.#load()
    return this.#since
  }

  /**
   * Stores that it is paused since a time (in milliseconds since 1970), unless it is already, or that it is not. It
   * writes even if nothing changes, so that an older change whose answer was lost, and which the store gets later, does
   * not undo what the caller was told.
   */
  async set(since: number | undefined): Promise<void> {
    for (let isFenced = false; ; isFenced = true) {
      const from = await this.#load()
      if (isFenced && (this.#since === undefined) === (since === undefined)) return
      // The term counts the changes of the record. A pause goes on since it began.
      const note = since === undefined ? {} : { since: this.#since?.getTime() ?? since }
      const to = { ...from, term: from.term + 1, note }
      try {
        await this.#store.saveStep(this.#record, { from, to, rows: [] })
      } catch (error) {
        // Somebody else has changed it.
        if (!hasCode(error, 'CHECKPOINT_CONFLICT')) throw error
      }
    }
  }

  async #load(): ReturnType<ProjectionStore['loadCheckpoint']> {
    const stored = await this.#store.loadCheckpoint(this.#record)
    const place = { store: this.#store, storage: this.#record }
    const { since } = formedNote<{ readonly since?: number }>(place, stored.note, isNote)
    // Each change raises the term. An answer that comes late must not hide what is known since.
    if (stored.term >= this.#term) {
      this.#term = stored.term
      this.#since = since === undefined ? undefined : new Date(since)
    }
    return stored
  }
}
