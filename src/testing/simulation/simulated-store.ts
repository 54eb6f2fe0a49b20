/**
 * The store that all simulated processes share. It notes every change, so it can be set back to an older state, as when
 * a backup is restored: the changes up to a moment are made once more, in an empty store. Either everything goes back,
 * or only the log, and what stands beside it (rows, checkpoints, snapshots, leases) is ahead of it.
 */
import { memory } from '../../store/memory/index.ts'
import type { Store } from '../../store/store.ts'
import { storeMethods } from '../faulty-store.ts'

/** What a process can call. Nobody closes what all share, and the memory store has no transactions. */
export const methods: readonly Method[] = storeMethods.filter(
  (method) => !['close', 'transact', 'readSql'].includes(method),
)

export type Method = (typeof storeMethods)[number]

/** What goes back to an older state. */
export type Restored = 'all' | 'log'

/** A call that has changed something. */
interface Change {
  readonly method: Method
  readonly args: readonly unknown[]
  /** The store's time at which it was made. */
  readonly nowMs: number
}

const changing: ReadonlySet<Method> = new Set<Method>([
  ...(['append', 'saveSnapshot', 'saveStep', 'resetProjection', 'acquireLease', 'releaseLease'] as const),
])

export class SimulatedStore {
  readonly #present: () => number
  #changes: Change[] = []
  /** The time of a change that is made once more. */
  #pastMs: number | undefined
  #store!: Store
  #stopListening: () => void = () => {}
  readonly #listeners = new Set<() => void>()

  private constructor(present: () => number) {
    this.#present = present
  }

  /** @param present the store's clock, in milliseconds */
  static async of(present: () => number): Promise<SimulatedStore> {
    const store = new SimulatedStore(present)
    await store.#empty()
    return store
  }

  get limits(): Store['limits'] {
    return this.#store.limits
  }

  /** How many changes were made. */
  get changes(): number {
    return this.#changes.length
  }

  call(method: Method, args: readonly unknown[]): Promise<any> {
    if (changing.has(method)) this.#changes.push({ method, args, nowMs: this.#present() })
    return this.#effect(method, args)
  }

  /** Calls back after each append. @returns a function that ends it */
  onAppend(listener: () => void): () => void {
    // The same function may listen several times.
    const own = () => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** Goes back to the state after so many changes. */
  async restore(changes: number, what: Restored): Promise<void> {
    const all = this.#changes
    this.#changes = all.filter(({ method }, i) => i < changes || (what === 'log' && method !== 'append'))
    await this.#empty()
    for (const { method, args, nowMs } of this.#changes) {
      this.#pastMs = nowMs
      // What was refused then is refused again.
      await this.#effect(method, args).catch(() => {})
    }
    this.#pastMs = undefined
  }

  async #empty(): Promise<void> {
    this.#stopListening()
    this.#store = await memory().open({ warn: () => {}, now: () => this.#pastMs ?? this.#present() })
    this.#stopListening = this.#store.onAppend(() => {
      if (this.#pastMs === undefined) for (const listener of [...this.#listeners]) listener()
    })
  }

  #effect(method: Method, args: readonly unknown[]): Promise<unknown> {
    return (this.#store[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args)
  }
}
