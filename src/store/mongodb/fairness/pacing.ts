/**
 * How writers in several processes share the end of the log. They compete for it by compare-and-set. The winner knows
 * where the end is and can continue at once, while the losers have to look first. Without a rule, one process would win
 * again and again. While other writers are active, a winner therefore rests for about as long as a loser takes to look
 * and try. Commits that arrive meanwhile make its next batch larger. If no other writer was met lately, there is no
 * rest.
 */

/** After this time without meeting another writer, a writer counts as alone. */
const aloneAfterMs = 1000
/** The greatest rest as a number of a loser's tries. The average is half of it. */
const restTries = 2
/** The longest rest, however slow the server is. */
const restMsMax = 500
/** How often a writer that does not pause checks whether another writer asks for the turn. */
const lookEveryMs = { alone: 1000, amongOthers: 100 }
/** The weight of the newest try in the average time of a try. */
const newestPart = 0.3

export class Pacing {
  readonly #random: () => number
  /** When another writer was last met. */
  #metAt = Number.NEGATIVE_INFINITY
  /** When a batch of this process was last stored. */
  #wonAt = Number.NEGATIVE_INFINITY
  /** When it last checked for other writers. */
  #lookedAt = Number.NEGATIVE_INFINITY
  /** When the current try began. */
  #triedAt: number | undefined
  /** How long it takes to look for the end and to try there. */
  #tryMs = 0

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** Another writer was first, and this one looks and tries again. All times are in milliseconds. */
  lost(now: number): void {
    this.#endTry(now)
    this.#metAt = now
    this.#triedAt = now
  }

  /** This writer's batch is stored. */
  won(now: number): void {
    this.#endTry(now)
    this.#triedAt = undefined
    this.#wonAt = now
  }

  /**
   * Whether to check now for a writer that cannot keep up and has asked for the turn. It does so from time to time
   * while batches follow each other, and more often if other writers were met.
   */
  shouldLook(now: number): boolean {
    const everyMs = now - this.#metAt > aloneAfterMs ? lookEveryMs.alone : lookEveryMs.amongOthers
    // After a pause, in which other writers could go first, the time begins again.
    if (now - this.#wonAt > everyMs) this.#lookedAt = now
    if (now - this.#lookedAt < everyMs) return false
    this.#lookedAt = now
    return true
  }

  /** How long to rest before the next batch. */
  restMs(now: number): number {
    if (now - this.#metAt > aloneAfterMs) return 0
    const rest = Math.min(this.#random() * restTries * this.#tryMs, restMsMax)
    return Math.max(0, rest - (now - this.#wonAt))
  }

  #endTry(now: number): void {
    if (this.#triedAt === undefined) return
    const tookMs = now - this.#triedAt
    this.#tryMs = this.#tryMs === 0 ? tookMs : this.#tryMs + (tookMs - this.#tryMs) * newestPart
  }
}
