/** The key of a subject in the memory of one process. */
import { boxStartOf, type SubjectKey } from '../../domain/sealed-value.ts'
import type { CipherKey } from '../../runtime/cipher.ts'

/** What has it. */
interface Ring {
  /** Whether keys in memory may be used. */
  readonly isConfirmed: boolean
}

export class Key implements SubjectKey {
  readonly id: string
  readonly subject: string
  readonly boxStart: string
  readonly #ring: Ring
  #cipher: CipherKey | undefined

  constructor(ring: Ring, { id, subject }: { readonly id: string; readonly subject: string }, cipher?: CipherKey) {
    this.id = id
    this.subject = subject
    this.boxStart = boxStartOf(id)
    this.#ring = ring
    this.#cipher = cipher
  }

  get isDestroyed(): boolean {
    return this.#cipher === undefined
  }

  get isConfirmed(): boolean {
    return this.#ring.isConfirmed
  }

  seal(text: string): string {
    return this.#cipher!.seal(text)
  }

  open(sealed: string): string {
    return this.#cipher!.open(sealed)
  }

  /** Whether a ring has it. */
  isOf(ring: Ring): boolean {
    return this.#ring === ring
  }

  destroy(): void {
    this.#cipher = undefined
  }
}
