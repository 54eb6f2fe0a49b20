/**
 * How long nothing was heard of another member. Of a time in which this process stood still itself, only a moment
 * counts: what the other one has said meanwhile may wait to be read.
 */
import type { Environment } from '../runtime/environment.ts'

/** After so long without a word, a member counts as lost. */
export const silentMs: number = 1500
/** How long an owner decides a command after its sender has certainly heard of it. */
export const validMs: number = 750
/**
 * So long after a member was last heard, what it has decided is stored or never will be. The store has the time after
 * `validMs` for it. Only another event of the stream fences an append that takes longer, and a "no" has none.
 */
export const settledMs: number = validMs + 750
/** The same for a member whose process has ended. It has decided nothing since, and spoke shortly before. */
export const settledAfterEndMs = 850
/** How much counts at most between two looks. */
const countedMsMax = 500

export class Silence {
  readonly #environment: Pick<Environment, 'elapsed'>
  #unheardMs = 0
  /** Until when it was counted. */
  #countedAt = 0
  /** When something was last heard, by `elapsed`. */
  heardAt: number = Number.NEGATIVE_INFINITY

  constructor(environment: Pick<Environment, 'elapsed'>) {
    this.#environment = environment
  }

  /** The other member is expected to speak from now on. */
  begin(): void {
    this.#unheardMs = 0
    this.#countedAt = this.#environment.elapsed()
  }

  /** The other member has spoken. */
  end(): void {
    this.begin()
    this.heardAt = this.#countedAt
  }

  /** Whether it has lasted for `silentMs`. Ask from time to time: each time counts up to a limit. */
  isTooLong(): boolean {
    return this.restMs() === 0
  }

  /** How long it may still last. */
  restMs(): number {
    const now = this.#environment.elapsed()
    this.#unheardMs += Math.min(now - this.#countedAt, countedMsMax)
    this.#countedAt = now
    return Math.max(0, silentMs - this.#unheardMs)
  }
}
