/**
 * The timers of a reaction. Their rows are keyed by the time when they are due, so the store returns the next ones in
 * pages. However many there are, only a window of those that are due first is in memory, and asking for the first one
 * costs nothing.
 *
 * The window is everything that is stored up to its end. The key of a new timer says whether it belongs into the window
 * or after it. Nothing is saved while the window is filled.
 */
import { firstFrom } from '../../store/ordered-keys.ts'
import type { ProjectionStore, Row, RowPage } from '../../store/store.ts'
import { type Timer, timerIn, timerPrefix, type WaitingTimer } from '../stored/timer-row.ts'

/** The number of timers that are read at once. The window is never larger than two pages. */
const pageSize = 250

export class Timers {
  /** The keys in the window, in order. */
  readonly #keys: string[] = []
  readonly #timers = new Map<string, Timer>()
  /** The end of the window: everything that is stored up to this key is in it. */
  #end = timerPrefix
  /** Whether nothing is stored after the window. */
  #isAll = true
  #list: (after: string) => Promise<RowPage> = async () => ({ rows: [] })
  #timerIn: (row: Row) => Timer = ({ value }) => value as unknown as Timer

  /** Drops everything, and continues with what is stored. */
  load(store: ProjectionStore, storage: string): void {
    this.#timerIn = (row) => timerIn({ store, storage }, row)
    this.#keys.length = 0
    this.#timers.clear()
    this.#end = timerPrefix
    this.#isAll = false
    this.#list = (after) => store.listRows(storage, { prefix: timerPrefix, after, limit: pageSize })
  }

  /** The timer that is due first; of several due at the same time, the one that was scheduled first. */
  async first(): Promise<WaitingTimer | undefined> {
    while (this.#keys.length === 0 && !this.#isAll) await this.#fill()
    const key = this.#keys[0]
    return key === undefined ? undefined : { key, ...this.#timers.get(key)! }
  }

  /** Applies rows that were saved. Ignores rows of other kinds. */
  apply(rows: readonly Row[]): void {
    for (const { key, value } of rows) {
      if (!key.startsWith(timerPrefix)) continue
      if (value === undefined) this.#delete(key)
      else if (this.#isAll || key <= this.#end) this.#add(key, value as unknown as Timer)
    }
  }

  async #fill(): Promise<void> {
    const { rows, next } = await this.#list(this.#end)
    this.#isAll = next === undefined
    this.#end = next ?? rows.at(-1)?.key ?? this.#end
    for (const row of rows) this.#add(row.key, this.#timerIn(row))
  }

  #add(key: string, timer: Timer): void {
    if (!this.#timers.has(key)) this.#keys.splice(firstFrom(this.#keys, key), 0, key)
    this.#timers.set(key, timer)
    if (this.#keys.length <= 2 * pageSize) return
    for (const gone of this.#keys.splice(pageSize)) this.#timers.delete(gone)
    this.#end = this.#keys.at(-1)!
    this.#isAll = false
  }

  #delete(key: string): void {
    if (this.#timers.delete(key)) this.#keys.splice(firstFrom(this.#keys, key), 1)
  }
}
