/** When the next scheduled command of each stopped domain is due. In memory only. */
import type { Environment } from '../../runtime/environment.ts'

interface Note {
  readonly dueAt: number
  /** How often it could not be woken. */
  readonly failures: number
}

/** A tenant whose time has come. */
export interface DueTenant {
  readonly tenant: string
  readonly failures: number
}

/** The clock may be set, and stands still while a machine sleeps, so it is read at least this often. */
const lookMsMax = 30_000

export class DueNotes {
  readonly #environment: Environment
  readonly #notes = new Map<string, Note>()
  /** No note is due before this time. */
  #firstAt = Number.POSITIVE_INFINITY

  constructor(environment: Environment) {
    this.#environment = environment
  }

  get size(): number {
    return this.#notes.size
  }

  set(tenant: string, dueAt: number, failures = 0): void {
    this.#notes.set(tenant, { dueAt, failures })
    this.#firstAt = Math.min(this.#firstAt, dueAt)
  }

  delete(tenant: string): void {
    this.#notes.delete(tenant)
  }

  /** Takes the notes whose time has come. */
  takeDue(): readonly DueTenant[] {
    const now = this.#environment.now()
    if (now < this.#firstAt) return []
    this.#firstAt = Number.POSITIVE_INFINITY
    const due: DueTenant[] = []
    for (const [tenant, { dueAt, failures }] of this.#notes) {
      if (dueAt <= now) due.push({ tenant, failures })
      else this.#firstAt = Math.min(this.#firstAt, dueAt)
    }
    for (const { tenant } of due) this.#notes.delete(tenant)
    return due
  }

  /** The time until the first note is due. */
  get restMs(): number {
    return this.#notes.size === 0 ? Number.POSITIVE_INFINITY : this.#firstAt - this.#environment.now()
  }

  /** A delay that ends in time to read the clock again. */
  shortened(delayMs: number): number {
    return this.#notes.size === 0 ? delayMs : Math.min(delayMs, lookMsMax)
  }
}
