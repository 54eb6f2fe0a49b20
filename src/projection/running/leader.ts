/**
 * The leading of a projection in this process. The run that follows the log leads, and guests (a single run, a retry of
 * parked events) may lead for a while. If another process may have had the lease meanwhile, the checkpoint is taken
 * over before anything is done.
 */
import { ProjectionError } from '../../domain/error.ts'
import { Leadership, type LeadershipOptions } from './leadership.ts'
import { type BetterPlace, Yielding } from './yielding.ts'

export interface LeaderOptions extends Omit<LeadershipOptions, 'name' | 'isFenced'> {
  /** The projection or reaction. */
  readonly name: string
  /** Takes the stored checkpoint over. */
  readonly takeOver: () => Promise<void>
  /** Whether this process has taken the stored checkpoint over last, and knows all that is stored. */
  readonly leads: () => Promise<boolean>
  readonly betterPlace: BetterPlace | undefined
  /** The interval at which it asks for the lease while another process leads. */
  readonly pollIntervalMs: number
  /** Waits for work in progress. */
  readonly finish: () => Promise<void>
  /** Saves how far the work is. */
  readonly save: () => Promise<void>
  /** Whether a run follows the log here. It then keeps the lease. */
  readonly isFollowed: () => boolean
}

export class Leader {
  readonly #options: LeaderOptions
  readonly #leadership: Leadership
  readonly #yielding: Yielding
  /** The number of guests that lead now. */
  #guests = 0
  /** The tenure for which this process has the checkpoint, and how often it had lost the lease when it took over. */
  #tenure = 0
  #losses = -1

  constructor(options: LeaderOptions) {
    this.#options = options
    this.#leadership = new Leadership({ ...options, name: `projection ${options.name}`, isFenced: true })
    const { betterPlace, name, environment } = options
    this.#yielding = new Yielding({ betterPlace, name, environment, askAgainMs: this.askAgainMs, offersAgain: true })
  }

  /** How often the store was asked for the lease. */
  get renewals(): number {
    return this.#leadership.renewals
  }

  /** Changes after each time in which another process may have led. */
  get tenure(): number {
    return this.#leadership.tenure
  }

  /** Whether this process certainly leads now. */
  get isSafe(): boolean {
    return this.#leadership.isSafe
  }

  /** Whether this process has the lease, or may have it. */
  get isHeld(): boolean {
    return this.#leadership.held
  }

  /** The time until which another process leads, if it did at the last question. */
  get othersUntil(): number | undefined {
    return this.#leadership.othersUntil
  }

  /** The longest pause before asking for the lease again. */
  get restMs(): number {
    return this.#leadership.restMs
  }

  /** The time until it asks for the lease again while another process has it. */
  get askAgainMs(): number {
    return Math.min(this.#options.pollIntervalMs, this.restMs)
  }

  /** Whether no other process has led since this one took over. Renews the lease if that is due. */
  async keep(): Promise<boolean> {
    return (await this.#leadership.keep()) && this.#stays()
  }

  /** Does some work, and renews the lease while it lasts. */
  during<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#leadership.during(work)
  }

  /**
   * Takes the lease, and takes the checkpoint over if another process may have led meanwhile. Returns whether this
   * process leads.
   */
  async take(takeOver: () => Promise<void> = this.#options.takeOver): Promise<boolean> {
    if (!(await this.#leadership.keep())) return false
    const { tenure, losses } = this.#leadership
    if (await this.#stays()) return true
    await takeOver()
    this.#tenure = tenure
    this.#losses = losses
    return true
  }

  /**
   * Whether no other process has led since this one took over. If the lease was only renewed too late, the stored
   * checkpoint tells. Without this look, a process whose store answers after the end of each lease would take over
   * again and again, and do nothing else.
   */
  async #stays(): Promise<boolean> {
    const { tenure, losses } = this.#leadership
    if (tenure === this.#tenure) return true
    if (losses !== this.#losses || !(await this.#options.leads())) return false
    this.#tenure = tenure
    return true
  }

  /** As `take`, for the run that follows the log. It leaves the lease to the process that should have it. */
  async takeTurn(): Promise<boolean> {
    if (this.#guests > 0 || !this.#yielding.isDue(this.#leadership.held)) return this.take()
    if (this.#leadership.held) await this.releaseSaved()
    return false
  }

  /** Another process has acted as the leader. The store is asked before this process leads again. */
  doubt(): void {
    this.#leadership.doubt()
  }

  /** Saves how far the work is, and gives the lease back if this process has it. */
  async releaseSaved(): Promise<void> {
    await this.#options.finish().catch(() => {})
    if (this.#leadership.held) await this.#options.save().catch(() => {})
    await this.release()
  }

  /** Waits for work in progress, and gives the lease back if this process has it. */
  async release(): Promise<void> {
    await this.#options.finish().catch(() => {})
    await this.#leadership.release().catch(() => {})
  }

  /**
   * Does work that only the leading process may do; if no process leads, this one takes the lease. It repeats work that
   * returns `undefined` because this process was overtaken.
   *
   * @param doing names the work in the error
   * @param takeOver replaces the usual takeover
   * @throws ProjectionError `PROJECTION_ELSEWHERE`
   */
  lead<Result>(
    doing: string,
    work: () => Promise<Result | undefined>,
    takeOver?: () => Promise<void>,
  ): Promise<Result> {
    return this.asGuest(async () => {
      for (;;) {
        if (!(await this.take(takeOver))) this.refuse(doing)
        const result = await work()
        if (result !== undefined) return result
      }
    })
  }

  /** Does work that may take the lease, and gives the lease back afterwards if nothing else in this process leads. */
  async asGuest<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#guests++
    try {
      return await work()
    } finally {
      this.#guests--
      if (!this.#options.isFollowed() && this.#guests === 0) await this.release()
    }
  }

  /** @throws ProjectionError `PROJECTION_ELSEWHERE` */
  refuse(doing: string): never {
    throw new ProjectionError('PROJECTION_ELSEWHERE', { projection: this.#options.name, doing })
  }
}
