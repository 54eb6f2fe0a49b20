/** The calls of an open store. Closing waits for those in progress, and refuses all that come later. */
import { StoreError } from '../domain/error.ts'

export class OpenCalls {
  readonly #store: string
  readonly #underWay = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  /** @param store the name of the store in an error */
  constructor(store: string) {
    this.#store = store
  }

  /** @throws StoreError `STORE_CLOSED` */
  check(): void {
    if (this.#closing !== undefined) throw new StoreError('STORE_CLOSED', { store: this.#store })
  }

  /** Makes a call that closing waits for. @throws StoreError `STORE_CLOSED`; what the call throws */
  async run<Result>(call: () => Promise<Result>): Promise<Result> {
    this.check()
    const result = call()
    this.#underWay.add(result)
    try {
      return await result
    } finally {
      this.#underWay.delete(result)
    }
  }

  /**
   * Closes the store. A second call waits for the same closing.
   *
   * @param close releases the resources of the store, when no call is in progress
   * @param hurry ends the waits of calls before they are waited for
   */
  close(close: () => Promise<void>, hurry?: () => Promise<void>): Promise<void> {
    this.#closing ??= (async () => {
      await hurry?.()
      await Promise.allSettled(this.#underWay)
      await close()
    })()
    return this.#closing
  }
}
