/**
 * Reads and changes the view in the store. The view is a row beside a checkpoint, and the checkpoint's position is the
 * epoch. A change is one step, which compares the epoch, so every store that keeps projections can hold a cluster.
 */
import { hasCode } from '../domain/error.ts'
import type { Environment } from '../runtime/environment.ts'
import { soon } from '../runtime/timers.ts'
import type { ProjectionStore } from '../store/store.ts'
import { asJson, type Content, emptyContent, fromJson, type View } from './view.ts'

/** The name under which the view of a domain's members is stored. No projection can have it. */
export const domainView = 'cluster members'
const key = 'view'
/** How often a change is tried if others change the view at the same time. */
const triesMax = 100
/** How many questions for the epoch may be under way. One that waits for another takes up to twice as long. */
const questionsMax = 4
/** How often the view is read when another member knows a newer one. A reading that had begun before may miss it. */
const readingsMax = 2

export class ViewStore {
  readonly #store: ProjectionStore
  readonly #name: string
  readonly #environment: Environment
  #view: View = { ...emptyContent, epoch: 0 }
  readonly #onChange: (view: View) => void
  #waiting: PromiseWithResolvers<void>[] = []
  /** How many questions are under way, and whether another one begins in a moment. */
  #asking = 0
  #isBeginning = false
  #loading: Promise<void> | undefined

  /**
   * @param name under which the view is stored
   * @param onChange called with each newer view, in order
   */
  constructor(store: ProjectionStore, name: string, environment: Environment, onChange: (view: View) => void) {
    this.#store = store
    this.#name = name
    this.#environment = environment
    this.#onChange = onChange
  }

  /** The newest view that is known here. */
  get view(): View {
    return this.#view
  }

  /** Reads the epoch, at some moment after this call, and the view if it is newer. @throws StoreError */
  refresh(): Promise<void> {
    const waiting = Promise.withResolvers<void>()
    this.#waiting.push(waiting)
    if (!this.#isBeginning && this.#asking < questionsMax) {
      this.#isBeginning = true
      soon(() => void this.#ask())
    }
    return waiting.promise
  }

  /** Another member knows the view of an epoch: reads it, if it is newer. @throws StoreError */
  async reach(epoch: number): Promise<void> {
    for (let reading = 0; reading < readingsMax && this.#view.epoch < epoch; reading++) {
      this.#loading ??= this.#load().finally(() => {
        this.#loading = undefined
      })
      await this.#loading
    }
  }

  /**
   * Changes the stored view.
   *
   * @param change returns `undefined` if nothing has to change. It is called again if another member was faster
   * @throws StoreError
   */
  async change(change: (view: View) => Content | undefined): Promise<void> {
    for (let tries = 1; ; tries++) {
      await this.#load()
      const before = this.#view
      const content = change(before)
      if (content === undefined) return
      const from = { position: before.epoch, term: before.epoch === 0 ? 0 : 1 }
      const to = { position: before.epoch + 1, term: 1, note: {} }
      try {
        await this.#store.saveStep(this.#name, { from, to, rows: [{ key, value: asJson(content) }] })
        this.#adopt({ ...content, epoch: to.position })
        return
      } catch (error) {
        if (!hasCode(error, 'CHECKPOINT_CONFLICT') || tries >= triesMax) throw error
        await new Promise<void>((resolve) => {
          this.#environment.after(this.#environment.random() * Math.min(tries, 20), resolve)
        })
      }
    }
  }

  async #ask(): Promise<void> {
    this.#isBeginning = false
    this.#asking++
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting.splice(0)
      try {
        const { position } = await this.#store.loadCheckpoint(this.#name)
        if (position !== this.#view.epoch) await this.#load()
        for (const { resolve } of waiting) resolve()
      } catch (error) {
        for (const { reject } of waiting) reject(error)
      }
    }
    this.#asking--
  }

  async #load(): Promise<void> {
    this.#adopt(await storedView(this.#store, this.#name))
  }

  #adopt(view: View): void {
    // An answer may be older than one that came meanwhile.
    if (view.epoch <= this.#view.epoch) return
    this.#view = view
    this.#onChange(view)
  }
}

/** The view as it is stored; that of epoch 0 if there is none. @throws StoreError */
export async function storedView(store: Pick<ProjectionStore, 'loadRowsWithCheckpoint'>, name: string): Promise<View> {
  const { checkpoint, values } = await store.loadRowsWithCheckpoint(name, [key])
  return { ...fromJson(values[0]), epoch: checkpoint.position }
}
