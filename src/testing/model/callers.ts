/**
 * One caller of a place that is open once or twice. Between its calls, the caller may go to the other opening, close
 * both and open them again, or wait, which moves the clock of both.
 */
import type { Store } from '../../store/store.ts'
import type { StorePlace } from '../conformance/kit.ts'
import type { ChangeOfCaller } from './steps.ts'

/** When the clock of a place begins, in milliseconds since 1970. */
const beginning = Date.UTC(2026, 0, 1)

export class Caller {
  readonly #place: StorePlace
  readonly #open = new Map<number, Store>()
  #current = 0
  #present = beginning

  constructor(place: StorePlace) {
    this.#place = place
  }

  now(): number {
    return this.#present
  }

  /** The store that is called now. */
  async store(): Promise<Store> {
    const open = this.#open.get(this.#current)
    if (open !== undefined) return open
    const opened = await this.#place.factory.open({ now: () => this.#present, warn: () => {} })
    this.#open.set(this.#current, opened)
    return opened
  }

  async change(change: ChangeOfCaller): Promise<void> {
    if (change.kind === 'switch') this.#current = 1 - this.#current
    else if (change.kind === 'wait') this.#present += change.durationMs
    else await this.#close()
  }

  async #close(): Promise<void> {
    const stores = [...this.#open.values()]
    this.#open.clear()
    for (const store of stores) await store.close()
  }

  /** Closes what is open, and removes the place. */
  async end(): Promise<void> {
    try {
      await this.#close()
    } finally {
      await this.#place.cleanUp?.()
    }
  }
}
