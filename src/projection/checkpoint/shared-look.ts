/** A look at the stored checkpoint, which those share who ask for it before it begins. */
import type { Exclusive } from '../../runtime/exclusive.ts'

export class SharedLook {
  readonly #exclusive: Exclusive
  readonly #look: (wanted: readonly number[]) => Promise<void>
  #wanted = new Set<number>()
  #next: Promise<void> | undefined

  /** @param look gets the positions that readers wait for, ascending */
  constructor(exclusive: Exclusive, look: (wanted: readonly number[]) => Promise<void>) {
    this.#exclusive = exclusive
    this.#look = look
  }

  /** A look that begins after this call. */
  ask(wanted: number): Promise<void> {
    this.#wanted.add(wanted)
    this.#next ??= this.#exclusive.run(() => {
      const positions = [...this.#wanted].sort((a, b) => a - b)
      this.#wanted = new Set()
      this.#next = undefined
      return this.#look(positions)
    })
    return this.#next
  }
}
