/**
 * Leading in a process: the run that follows the log does, and so may others for a while (a single run, a retry of what
 * is parked). Wherever the lease may have been another's meanwhile, what is known is taken over before anything is
 * done.
 */
import { ProjectionError } from '../../domain/error.ts'
import { Leadership, type LeadershipOptions } from './leadership.ts'

export interface LeaderOptions extends Omit<LeadershipOptions, 'name'> {
  /** The projection or reaction. */
  readonly name: string
  /** Makes the stored checkpoint this process's own. */
  readonly takeOver: () => Promise<void>
  /** Waits for what is under way. */
  readonly finish: () => Promise<void>
  /** Whether a run follows the log here: it keeps the lease. */
  readonly isFollowed: () => boolean
}

export class Leader {
  readonly #options: LeaderOptions
  readonly #leadership: Leadership
  /** Who leads in this process besides the run that follows the log. */
  #guests = 0
  /** The time of leading in which what is known was taken over. */
  #tenure = 0

  constructor(options: LeaderOptions) {
    this.#options = options
    this.#leadership = new Leadership({ ...options, name: `projection ${options.name}` })
  }

  /** How often the store was asked for the lease. */
  get renewals(): number {
    return this.#leadership.renewals
  }

  /** Another number after each time at which somebody else may have led. */
  get tenure(): number {
    return this.#leadership.tenure
  }

  /** Whether this process leads, and nobody else can. */
  get isSafe(): boolean {
    return this.#leadership.isSafe
  }

  /** Until when another process leads, if it did when this one asked last. */
  get othersUntil(): number | undefined {
    return this.#leadership.othersUntil
  }

  /** How long one may rest before asking for the lease again. */
  get restMs(): number {
    return this.#leadership.restMs
  }

  /** Whether this process leads, and has done so since it took over. Renews the lease if that is due. */
  async keep(): Promise<boolean> {
    return (await this.#leadership.keep()) && this.#leadership.tenure === this.#tenure
  }

  /** Does some work, and keeps the lease for as long as that takes. */
  during<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#leadership.during(work)
  }

  /** Takes the lease, and takes over where somebody else may have had it meanwhile; says whether this process leads. */
  async take(takeOver: () => Promise<void> = this.#options.takeOver): Promise<boolean> {
    if (!(await this.#leadership.keep())) return false
    const { tenure } = this.#leadership
    if (tenure === this.#tenure) return true
    await takeOver()
    this.#tenure = tenure
    return true
  }

  /** Somebody else has acted as the leader: the store is asked before this process leads on. */
  doubt(): void {
    this.#leadership.doubt()
  }

  /** Waits for what is under way, and gives the lease back, if this process has it. @param before done first then */
  async release(before: () => Promise<void> = async () => {}): Promise<void> {
    await this.#options.finish().catch(() => {})
    if (this.#leadership.held) await before().catch(() => {})
    await this.#leadership.release().catch(() => {})
  }

  /**
   * Does something that only the process may do that leads, or any where none does: again if it gives nothing, for
   * being overtaken.
   *
   * @param takeOver how it takes over, if not as always
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

  /** Does something that may take the lease, and gives it back if nobody else here leads. */
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
