/**
 * When a connection gives no answer in time, the server's machine may have vanished. Connections that have been idle
 * since before then lead nowhere, too, and nothing tells: each would cost a call that waits for its whole time. So they
 * are closed instead of lent. Nothing is lost with one that was good.
 */
import type { PostgresClient } from './driver.ts'

export class Doubt {
  readonly #lentIn = new WeakMap<PostgresClient, number>()
  readonly #onRaised: () => void
  #count = 0

  /** @param onRaised called when a connection gave no answer */
  constructor(onRaised: () => void) {
    this.#onRaised = onRaised
  }

  /** To be called when a connection gave no answer in time. */
  raise(): void {
    this.#count++
    this.#onRaised()
  }

  /** Takes note of a connection that is about to be lent. Returns false if it is to be closed instead. */
  admits(client: PostgresClient): boolean {
    const before = this.#lentIn.get(client)
    if (before !== undefined && before < this.#count) return false
    this.#lentIn.set(client, this.#count)
    return true
  }
}
