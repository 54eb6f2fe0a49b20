/**
 * What somebody decides about a reaction from outside: a scheduled command is cancelled or sent at once, and parked
 * events are handed back to the process that runs the reaction. Any process can do it, whoever leads
 * (`checkpoint/intervention.ts`).
 */
import { ProjectionError } from '../../domain/error.ts'
import { checkOption } from '../../domain/options.ts'
import { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { ProjectionStore, Row } from '../../store/store.ts'
import type { Bookmark } from '../checkpoint/bookmark.ts'
import { rowPages } from '../stored/row-pages.ts'
import { idOfTimer, laterRows, timerIn, timerPrefix, type WaitingTimer, withoutTimer } from '../stored/timer-row.ts'

export interface ByHandOptions {
  /** The name under which the reaction is stored. */
  readonly name: string
  readonly store: ProjectionStore
  readonly environment: Environment
  readonly bookmark: Bookmark
  /** Called when there may be something to do at once. */
  readonly onChanged: () => void
}

const pageSize = 1000
const isId = (found: unknown) => typeof found === 'string' && /^\d{1,16}:\d{1,6}$/.test(found)

export class ByHand {
  readonly #options: ByHandOptions

  constructor(options: ByHandOptions) {
    this.#options = options
  }

  /** @throws DefinitionError `OPTION_INVALID`; ProjectionError `TIMER_UNKNOWN`; StoreError */
  async cancelTimer(id: string): Promise<void> {
    await this.#change(id, (timer) => withoutTimer(timer))
  }

  /** @throws DefinitionError `OPTION_INVALID`; ProjectionError `TIMER_UNKNOWN`; StoreError */
  async sendTimer(id: string): Promise<void> {
    const now = this.#options.environment.now()
    await this.#change(id, (timer) => {
      const rows = laterRows(timer, Math.min(now, timer.dueAt), 0)
      return rows[0]!.key === timer.key ? rows : [{ key: timer.key, value: undefined }, ...rows]
    })
    this.#options.onChanged()
  }

  /** @returns how many parked events and commands were handed back */
  async handBack(): Promise<number> {
    const count = await this.#options.bookmark.handBack()
    this.#options.onChanged()
    return count
  }

  async #change(id: string, rowsFor: (timer: WaitingTimer) => readonly Row[]): Promise<void> {
    checkOption('id', id ?? null, isId, 'the id of a scheduled command, as `timers(name)` returns it')
    const { bookmark, name } = this.#options
    await bookmark.intervene(async (storage) => {
      const timer = await this.#find(storage, id)
      if (timer === undefined) throw new ProjectionError('TIMER_UNKNOWN', { projection: name, id })
      return { rows: rowsFor(timer), result: undefined }
    })
  }

  /** A timer by its id, wherever it stands in the order of due times. */
  async #find(storage: string, id: string): Promise<WaitingTimer | undefined> {
    const { store, environment } = this.#options
    const breath = new Breath(environment)
    for await (const rows of rowPages(store, storage, { prefix: timerPrefix, limit: pageSize })) {
      await breath.pause()
      const row = rows.find(({ key }) => idOfTimer(key) === id)
      if (row !== undefined) return { key: row.key, ...timerIn({ store, storage }, row) }
    }
    return undefined
  }
}
