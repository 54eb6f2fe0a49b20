/**
 * How writers in several processes share the end of the log. It is taken by compare-and-set. The winner knows where the
 * end is and can go on at once, while the losers have to look first: without a rule, one process would win again and
 * again. While other writers are active, a winner therefore rests for about as long as a loser takes to look and try.
 * Commits that arrive meanwhile make its next batch larger. Where nobody else has been met lately, nobody rests.
 */

/** After so long without having met anybody a writer takes itself to be alone. */
const aloneAfterMs = 1000
/** A writer rests for this many times a loser's try, on average half of it. */
const restTries = 2
/** However slow a server is, no rest is longer. */
const restMsMax = 500
/** How often a writer that does not pause looks whether somebody is in need. */
const lookEveryMs = { alone: 1000, amongOthers: 100 }
/** How much the newest try counts in what a try is taken to need. */
const newestPart = 0.3

export class Pacing {
  readonly #random: () => number
  /** When somebody else was met last. */
  #metAt = Number.NEGATIVE_INFINITY
  /** When a batch of this process was stored last. */
  #wonAt = Number.NEGATIVE_INFINITY
  /** When it was looked for others last. */
  #lookedAt = Number.NEGATIVE_INFINITY
  /** When the try began that is under way. */
  #triedAt: number | undefined
  /** How long it takes to look where the end is and to try there. */
  #tryMs = 0

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** Somebody else was there first, and this writer looks and tries again. All times in milliseconds. */
  lost(now: number): void {
    this.#endTry(now)
    this.#metAt = now
    this.#triedAt = now
  }

  /** The batch is stored. */
  won(now: number): void {
    this.#endTry(now)
    this.#triedAt = undefined
    this.#wonAt = now
  }

  /**
   * Whether to look now whether somebody who cannot keep up has asked for the turn: once in a while when batches follow
   * each other, more often where others were met.
   */
  shouldLook(now: number): boolean {
    const everyMs = now - this.#metAt > aloneAfterMs ? lookEveryMs.alone : lookEveryMs.amongOthers
    // After a pause, in which anybody could go first, the time begins again.
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
