/**
 * Where a projection or reaction is in the log: its checkpoint, and what is known here of the rows beside it. Both are
 * read together, change together, and are in use by one thing at a time, whoever asks. Each stepper has one, and tells
 * only how it handles events.
 */
import { hasCode, ProjectionError, StoreError } from '../../domain/error.ts'
import { Breath } from '../../runtime/breath.ts'
import { Exclusive } from '../../runtime/exclusive.ts'
import type { LogPlace, Row, Checkpoint as StoredCheckpoint } from '../../store/store.ts'
import { listParked, type ParkedEvent, ParkedEvents } from '../stored/parked-events.ts'
import type { BookmarkOptions, KnownRows, RowLocation } from './bookmark-options.ts'
import { Checkpoint, type When, type Work } from './checkpoint.ts'
import { deleteForgotten } from './forgetting.ts'
import { retiredAt } from './generations.ts'
import { parkPassedOver } from './passed-over.ts'
import { type Retry, retryParked } from './retry-parked.ts'
import type { StepResult } from './step.ts'

export class Bookmark {
  readonly #options: BookmarkOptions
  readonly #location: RowLocation
  readonly #checkpoint: Checkpoint
  readonly #known: readonly KnownRows[]
  readonly #exclusive = new Exclusive()
  /** Rows are saved one at a time, also where a handler does several things at once. */
  readonly #saving = new Exclusive()
  /** Whether others may have changed what is known here: then it is taken over before the next step. */
  #isStale = true
  /** Whose work is stored was looked at last under this name, in this term. */
  #recognised = { storage: '', term: 0 }
  readonly parked: ParkedEvents = new ParkedEvents()
  /** The last term of this runner's, and how often it found that there was another's in between. */
  #ownTerm = 0
  #othersLed = 0

  constructor(options: BookmarkOptions) {
    const { name, store, lead, location, rows } = options
    this.#options = options
    this.#location = location ?? { live: { storage: name }, load: async () => {} }
    this.#checkpoint = new Checkpoint(this.#location.live.storage, store, lead.onReached)
    this.#known = rows === undefined ? [this.parked] : [rows, this.parked]
  }

  /** The last position that is handled. */
  get position(): number {
    return this.here.position
  }

  /** The same as a place in the log. */
  get here(): LogPlace {
    return this.#checkpoint.place
  }

  /** A number that is another one when somebody else has led. */
  get othersLed(): number {
    return this.#othersLed
  }

  /** The name under which the rows and the checkpoint are stored. */
  get storage(): string {
    return this.#checkpoint.name
  }

  // -- one at a time; none is called within another ----------------------------------------------------------

  /** Looks where the checkpoint is, while another runner moves it. */
  look(): Promise<void> {
    return this.#exclusive.run(() => this.#look())
  }

  /**
   * Makes the stored checkpoint this runner's: nobody who was at work before saves anything from here on.
   *
   * @throws ProjectionError `PROJECTION_CHANGED` if what is stored was made by a definition that this one cannot go on
   *   for
   */
  takeOver(): Promise<void> {
    return this.#exclusive.run(async () => {
      await this.#takeOver()
    })
  }

  /** Finds out whether other rows serve than before. */
  refresh(): Promise<void> {
    return this.#exclusive.run(() => this.#refresh())
  }

  /** Begins behind a position, if there is no checkpoint yet. */
  beginBehind(position: number): Promise<void> {
    return this.#exclusive.run(async () => {
      if (!(await this.#takeOverIfStale())) return
      if (position > this.position) await this.#checkpoint.beginBehind(await this.placeAt(position))
    })
  }

  /** Waits for what steps have left under way, and saves what came of it. */
  async end(): Promise<void> {
    if (this.#options.underWay === undefined) return
    await this.#exclusive.run(async () => {
      if (this.#isStale) await this.#options.underWay?.giveUp()
      else if (!(await this.#finish())) this.#overtaken(undefined)
    })
  }

  /** Saves what is done of what is under way, and the checkpoint behind what was passed over. */
  flush(): Promise<void> {
    return this.#exclusive.run(async () => {
      const { underWay } = this.#options
      if (underWay !== undefined && !this.#isStale && !(await underWay.save())) return this.#overtaken(undefined)
      await this.#checkpoint.flush()
    })
  }

  /** Does some work while nothing else is done, after which other rows may serve. */
  hold<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#exclusive.run(async () => {
      const result = await work()
      await this.#refresh()
      return result
    })
  }

  /**
   * Takes a step.
   *
   * @param work gives nothing if another runner was faster, whose step is as good
   */
  step(work: () => Promise<StepResult | undefined>): Promise<StepResult> {
    const nothing = { events: 0, caughtUp: false }
    return this.#exclusive.run(async () => {
      if (!(await this.#takeOverIfStale())) return nothing
      try {
        return (await work()) ?? this.#overtaken(nothing)
      } catch (error) {
        if (!hasCode(error, 'LOG_REPLACED')) throw error
        // Where log and checkpoint went back together, all is well from the stored one on.
        const { here } = this
        await this.#takeOver()
        if (this.here === here) throw error
        return nothing
      }
    })
  }

  /** Does work at the stored checkpoint, whoever leads; again if that moved meanwhile and the work gave nothing. */
  atStored<Result>(work: () => Promise<Result | undefined>): Promise<Result> {
    return this.#exclusive.run(async () => {
      for (;;) {
        await this.#look()
        const result = await work()
        if (result !== undefined) return result
      }
    })
  }

  /**
   * Tries again what is parked, in the order of the log. What fails stays parked, and what queues behind it.
   *
   * @returns how much is still parked, or nothing if another runner was faster
   */
  retryParked(signal: AbortSignal, retry: Retry): Promise<number | undefined> {
    return this.#exclusive.run(async () => {
      const mayGo = (await this.#takeOverIfStale()) && (await this.#finish())
      const isDone = mayGo && (await retryParked(this.parked, retry, this.#options, signal))
      return isDone ? this.parked.size : this.#overtaken(undefined)
    })
  }

  /**
   * Lets a parked event go for good.
   *
   * @returns false if another runner was faster
   * @throws ProjectionError `PARKED_UNKNOWN`
   */
  skipParked(position: number): Promise<boolean> {
    return this.#exclusive.run(async () => {
      if (!((await this.#takeOverIfStale()) && (await this.#finish()))) return this.#overtaken(false)
      const rows = this.parked.rowsWithout(position)
      if (rows.length === 0) throw new ProjectionError('PARKED_UNKNOWN', { projection: this.#options.name, position })
      const handled = this.#options.rows?.handled?.(position) ?? []
      return (await this.keep([...rows, ...handled])) || this.#overtaken(false)
    })
  }

  /**
   * Forgets rows, and goes on behind a position, wherever that is. Gives false if another runner was faster.
   *
   * One step moves the checkpoint, and says which rows are forgotten; they are deleted behind it, by another process if
   * this one ends.
   *
   * @param keep whether what belongs to what was handled up to there stays
   * @throws StoreError `LOG_REPLACED` if the log does not reach so far
   */
  reset(position: number, keep: boolean): Promise<boolean> {
    return this.#exclusive.run(async () => {
      this.#isStale = true
      await this.#options.underWay?.giveUp()
      await this.#find('never') // whose work it is that is forgotten does not matter
      const to = await this.#placeInLog(position)
      const { environment, recognition } = this.#options
      const go = () => this.#checkpoint.goAnywhere(to, keep ? 'behind' : 'all', recognition.newRows)
      if (!((await this.#forget(new Breath(environment))) && (await go()))) return this.#overtaken(false)
      await this.#takeOver()
      return true
    })
  }

  // -- at any time ---------------------------------------------------------------------------------------

  /** Whether what is stored was made by the very functions of this program; or there is nothing yet. */
  isOwn(): Promise<boolean> {
    return this.#options.recognition.isOwn(this.storage)
  }

  /** What is parked as it is stored: also while a step takes its time, since that is when somebody asks. */
  async listParked(): Promise<readonly ParkedEvent[]> {
    for (;;) {
      const { storage } = this
      const parked = await listParked(this.#options.store, storage, new Breath(this.#options.environment))
      if (storage === this.storage) return parked
    }
  }

  // -- within a step -------------------------------------------------------------------------------------

  /** Saves rows, and how far the log is handled; false if another runner was faster. */
  save(to: LogPlace, rows: readonly Row[], when: When = 'now'): Promise<boolean> {
    return this.#change(rows, () => this.#checkpoint.advance(to, rows, when))
  }

  /**
   * Saves rows, and goes no further; false if another runner was faster.
   *
   * @param isCut asked when it is their turn: if so they are not saved
   */
  keep(rows: readonly Row[], when: When = 'now', isCut: () => boolean = () => false): Promise<boolean> {
    return this.#change(rows, async () => !isCut() && (await this.#checkpoint.advance(this.here, rows, when)))
  }

  /**
   * Does some work and saves: in one transaction where the store has them, one after the other elsewhere.
   *
   * @returns false if another runner was faster
   * @throws what the work throws, and nothing was saved
   */
  async saveWith(to: LogPlace, rows: readonly Row[], work: Work): Promise<boolean> {
    if (this.#options.store.transact !== undefined) {
      return this.#change(rows, () => this.#checkpoint.advanceWith(to, rows, work))
    }
    if (!(await this.isCurrent())) return false
    await work(undefined)
    return this.save(to, rows)
  }

  /** Saves where this runner stops, before a position; false if another was faster, who may have passed it. */
  async saveBefore(position: number, rows: readonly Row[]): Promise<boolean> {
    return (await this.save(await this.placeAt(position - 1), rows)) && this.isCurrent()
  }

  /** Whether nobody else has taken the checkpoint over. What was read of the rows before belongs to it then. */
  isCurrent(): Promise<boolean> {
    return this.#checkpoint.isCurrent()
  }

  /**
   * A position with the checksum of the event there. @throws StoreError `LOG_REPLACED` if the log does not reach so far
   */
  async placeAt(position: number): Promise<LogPlace> {
    return position === this.position ? this.here : this.#placeInLog(position)
  }

  async #placeInLog(position: number): Promise<LogPlace> {
    if (position === 0) return { position }
    const { store } = this.#options
    const { events } = await store.readAll({ from: position, to: position + 1 }, { limit: 1, behind: { position } })
    return { position, checksum: events[0]!.checksum }
  }

  // -- what is known -------------------------------------------------------------------------------------

  #change(rows: readonly Row[], change: () => Promise<boolean>): Promise<boolean> {
    return this.#saving.run(async () => {
      try {
        if (!(await change())) return false
      } catch (error) {
        // The answer may have been lost on the way back.
        this.#isStale = true
        throw error
      }
      for (const known of this.#known) known.apply(rows)
      return true
    })
  }

  async #finish(): Promise<boolean> {
    return (await this.#options.underWay?.finish()) ?? true
  }

  /** Another runner was faster: nothing that is known here counts any more. */
  #overtaken<Result>(result: Result): Result {
    this.#isStale = true
    this.#options.lead.onOvertaken()
    return result
  }

  async #takeOverIfStale(): Promise<boolean> {
    return !this.#isStale || this.#takeOver()
  }

  /**
   * Makes the stored checkpoint this runner's own, and reads what is beside it: in this order, so that nobody changes
   * it after the read.
   *
   * @returns false if another runner has taken it over meanwhile
   */
  async #takeOver(): Promise<boolean> {
    const { recognition, environment, store } = this.#options
    const breath = new Breath(environment)
    const raise = () => this.#checkpoint.raise(recognition.rows)
    this.#isStale = true
    await this.#options.underWay?.giveUp()
    do {
      // Even if it was looked at in this term: who had it may have passed over what this program is to handle.
      await this.#find('again')
      if (!(await this.#forget(breath))) return this.#overtaken(false)
    } while (!((await parkPassedOver(this.#checkpoint, recognition, environment, breath)) && (await raise())))
    const { term } = this.#checkpoint
    if (term !== this.#ownTerm + 1) this.#othersLed++
    this.#ownTerm = term
    this.#recognised = { storage: this.storage, term }
    for (const known of this.#known) await known.load(store, this.storage, breath)
    this.#isStale = false
    return true
  }

  /** Deletes what a reset has left to be deleted, if it has; false if another runner was faster. */
  async #forget(breath: Breath): Promise<boolean> {
    if (this.#checkpoint.forgetting === undefined) return true
    const { store, lead, isKept } = this.#options
    return lead.during(() => deleteForgotten(this.#checkpoint, store, isKept, breath))
  }

  /** Finds out where the checkpoint is, and whether it is this runner's still. */
  async #look(): Promise<void> {
    if (!(await this.#find('once'))) this.#isStale = true
  }

  /**
   * Looks whose work it is that is stored: once for each time that somebody took it over, or again.
   *
   * @throws ProjectionError `PROJECTION_CHANGED`
   */
  async #recognise(storage: string, stored: StoredCheckpoint, when: 'once' | 'again'): Promise<void> {
    const { term } = stored
    if (this.#location.isBehind === true || term === 0) return
    const isKnown = storage === this.#recognised.storage && term === this.#recognised.term
    if (isKnown && when === 'once') return
    const { recognition, environment } = this.#options
    if (await recognition.check(storage, stored, new Breath(environment))) this.#recognised = { storage, term }
  }

  async #refresh(): Promise<void> {
    await this.#location.load()
    if (this.#location.live.storage !== this.storage) await this.#look()
  }

  /**
   * Goes to the stored checkpoint; says whether it was here already.
   *
   * @param recognise whether to look whose it is, before anybody learns how far it is
   * @throws ProjectionError `PROJECTION_CHANGED`
   */
  async #find(recognise: 'once' | 'again' | 'never'): Promise<boolean> {
    const { store } = this.#options
    for (let before: string | undefined; ; ) {
      await this.#location.load()
      const { storage } = this.#location.live
      const stored = await store.loadCheckpoint(storage)
      if (stored.position !== retiredAt) {
        const isHere = this.#checkpoint.isAt(storage, stored)
        // It belongs to the checkpoint that was here, and would pass for the other runner's from here on.
        if (!isHere) this.#options.underWay?.cut()
        if (recognise !== 'never') await this.#recognise(storage, stored, recognise)
        this.#checkpoint.goTo(storage, stored)
        return isHere
      }
      // Retired between the two looks: other rows serve now.
      this.#location.onRetired?.()
      if (before === storage) {
        const reason = 'the rows that serve are marked as retired'
        throw new StoreError('STORE_CORRUPT', { store: store.name, where: storage, reason })
      }
      before = storage
    }
  }
}
