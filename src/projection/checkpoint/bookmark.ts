/**
 * Where a projection or reaction is in the log: its checkpoint, and what is in memory of the rows beside it. Both
 * change together. One operation at a time uses them. Each stepper has a bookmark, and adds how it handles events.
 */
import { hasCode, ProjectionError, StoreError } from '../../domain/error.ts'
import { Breath } from '../../runtime/breath.ts'
import { Exclusive } from '../../runtime/exclusive.ts'
import type { LogPlace, Row, Checkpoint as StoredCheckpoint } from '../../store/store.ts'
import { ParkedEvents } from '../stored/parked-events.ts'
import { beginFirst, type Place, placeInLog } from './beginning.ts'
import type { BookmarkOptions, KnownRows, RowLocation } from './bookmark-options.ts'
import { Checkpoint, checkNote, type When, type Work } from './checkpoint.ts'
import { retiredAt } from './generations.ts'
import { handBack } from './handing-back.ts'
import { type Intervention, intervene } from './intervention.ts'
import { parkPassedOver } from './passed-over.ts'
import { type Retry, retryParked } from './retry-parked.ts'
import { SharedLook } from './shared-look.ts'
import type { StepResult } from './step.ts'
import { finishBegun } from './unfinished.ts'
import { passUnhandled } from './unhandled.ts'

export class Bookmark {
  readonly #options: BookmarkOptions
  readonly #location: RowLocation
  readonly #checkpoint: Checkpoint
  readonly #known: readonly KnownRows[]
  readonly #exclusive = new Exclusive()
  readonly #looks = new SharedLook(this.#exclusive, (wanted) => this.#look(wanted))
  /** Steps are saved one at a time, even if a handler does several things at once. */
  readonly #saving = new Exclusive()
  /** Whether another process may have changed what is stored. The next step then takes over first. */
  #isStale = true
  /** The storage name and the term for which the recognition was last checked. */
  #recognised = { storage: '', term: 0 }
  /** Whether it has to look again at what the leading program has stored, even if nobody asks for it. */
  isUnsettled = false
  readonly parked: ParkedEvents = new ParkedEvents()
  /** The last term of this runner, and how often another runner had raised it in between. */
  #ownTerm = 0
  #othersLed = 0

  constructor(options: BookmarkOptions) {
    const { name, store, lead, location, rows, indexes } = options
    this.#options = options
    this.#location = location ?? { live: { storage: name }, load: async () => {} }
    this.#checkpoint = new Checkpoint(this.#location.live.storage, store, lead.onReached, indexes)
    this.#known = rows === undefined ? [this.parked] : [rows, this.parked]
  }

  /** The position up to which the log is handled; `here` is the same as a place in the log. */
  get position(): number {
    return this.here.position
  }

  get here(): LogPlace {
    return this.#checkpoint.place
  }

  /** Changes when another process has led in between. */
  get othersLed(): number {
    return this.#othersLed
  }

  /** The name under which the rows and the checkpoint are stored. */
  get storage(): string {
    return this.#checkpoint.name
  }

  // -- one at a time; none of these may call another ---------------------------------------------------------

  /** Reads where the checkpoint is, while another runner moves it. @param wanted a position that a reader waits for */
  look(wanted = 0): Promise<void> {
    return this.#looks.ask(wanted)
  }

  /**
   * Takes the stored checkpoint over. Runners that worked with it before can save nothing from now on.
   *
   * @throws ProjectionError `PROJECTION_CHANGED` if this definition cannot continue what is stored
   */
  async takeOver(): Promise<void> {
    await this.#exclusive.run(() => this.#takeOver())
  }

  /** Checks whether other rows have become live. */
  refresh(): Promise<void> {
    return this.#exclusive.run(() => this.#refresh())
  }

  /** Begins after a position, if there is no checkpoint yet. */
  beginBehind(position: number): Promise<void> {
    return this.#exclusive.run(async () => {
      if (!(await this.#takeOverIfStale())) return
      if (position <= this.position) return
      if (!(await this.#checkpoint.beginBehind(await this.placeAt(position)))) this.#overtaken(undefined)
    })
  }

  /** Stores where it begins, if no process has ever begun. @throws DefinitionError `OPTION_INVALID`; StoreError */
  beginFirst(beginning: Place): Promise<void> {
    return this.#exclusive.run(async () => {
      await this.#find('never') // who made what is stored is checked when it is taken over
      await beginFirst(this.#checkpoint, beginning, this.#options)
    })
  }

  /** Waits for work that steps have left in progress, and saves its results. */
  async end(): Promise<void> {
    if (this.#options.underWay === undefined) return
    await this.#exclusive.run(async () => {
      if (this.#isStale) await this.#options.underWay?.giveUp()
      else if (!(await this.#finish())) this.#overtaken(undefined)
    })
  }

  /** Saves finished work in progress, and positions that were passed without saving. */
  flush(): Promise<void> {
    return this.#exclusive.run(async () => {
      const { underWay } = this.#options
      const isSaved = underWay === undefined || this.#isStale || (await underWay.save())
      if (!(isSaved && (await this.#checkpoint.flush()))) this.#overtaken(undefined)
    })
  }

  /** Does some work while no other operation runs. The work may make other rows live. */
  hold<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#exclusive.run(async () => {
      const result = await work()
      await this.#refresh()
      return result
    })
  }

  /** Takes a step. @param work returns `undefined` if this runner was overtaken */
  step(work: () => Promise<StepResult | undefined>): Promise<StepResult> {
    const nothing = { events: 0, caughtUp: false }
    return this.#exclusive.run(async () => {
      if (!(await this.#takeOverIfStale()) || this.#options.lead.isPaused?.()) return nothing
      try {
        return (await work()) ?? this.#overtaken(nothing)
      } catch (error) {
        if (!hasCode(error, 'LOG_REPLACED')) throw error
        // If log and checkpoint went back together, the stored checkpoint is right, and it continues from there.
        const { here } = this
        await this.#takeOver()
        if (this.here === here) throw error
        return nothing
      }
    })
  }

  /** Does work at the stored checkpoint, without leading; again if that moved and the work returned `undefined`. */
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
   * Tries parked events again (`retry-parked.ts`).
   *
   * @returns how many are still parked, or `undefined` if this runner was overtaken
   */
  retryParked(signal: AbortSignal, retry: Retry): Promise<number | undefined> {
    return this.#exclusive.run(async () => {
      const mayGo = (await this.#takeOverIfStale()) && (await this.#finish())
      const isDone = mayGo && (await retryParked(this.parked, retry, this.#options, signal))
      return isDone ? this.parked.size : this.#overtaken(undefined)
    })
  }

  /**
   * Deletes a parked event without handling it. Returns false if this runner was overtaken.
   *
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
   * Moves the checkpoint to any position, and deletes rows. Returns false if this runner was overtaken.
   *
   * @param keep whether rows that belong to events up to the position are kept
   * @throws StoreError `LOG_REPLACED` if the log ends before the position
   */
  reset(position: number, keep: boolean): Promise<boolean> {
    return this.#exclusive.run(async () => {
      const { environment, recognition, store, underWay } = this.#options
      this.#isStale = true
      await underWay?.giveUp()
      await this.#stepAside()
      const to = await placeInLog(position, store)
      const go = () => this.#checkpoint.goAnywhere(to, keep ? 'behind' : 'all', recognition.newRows(to.position))
      const isFinished = await finishBegun(this.#checkpoint, this.#options, new Breath(environment))
      if (!(isFinished && (await go()))) return this.#overtaken(false)
      await this.#takeOver()
      return true
    })
  }

  /** Changes rows from any process. An empty list only lets the leader take over again. */
  intervene<Result>(work: (storage: string) => Promise<Intervention<Result>>): Promise<Result> {
    return this.#exclusive.run(() => intervene(this, this.#checkpoint, this.#stepAside, work))
  }

  /** Hands everything back that is parked, from any process. Returns how many were parked. */
  handBack(): Promise<number> {
    return this.#exclusive.run(() => handBack(this, this.#checkpoint, this.#options, this.#stepAside))
  }

  // -- at any time ---------------------------------------------------------------------------------------

  /** Whether this process has taken over last, and knows all that is stored. */
  async leads(): Promise<boolean> {
    return !this.#isStale && (await this.isCurrent())
  }

  /** Whether the stored rows were made by the same functions as this program's, or nothing is stored yet. */
  isOwn(): Promise<boolean> {
    return this.#options.recognition.isOwn(this.storage)
  }

  // -- within a step -------------------------------------------------------------------------------------

  /** Saves rows, and how far the log is handled. Returns false if this runner was overtaken. */
  save(to: LogPlace, rows: readonly Row[], when: When = 'now'): Promise<boolean> {
    return this.change(rows, () => this.#checkpoint.advance(to, rows, when))
  }

  /**
   * Saves rows without moving the checkpoint. Returns false if this runner was overtaken.
   *
   * @param isCut asked just before saving; if true, nothing is saved
   */
  keep(rows: readonly Row[], when: When = 'now', isCut: () => boolean = () => false): Promise<boolean> {
    return this.change(rows, async () => !isCut() && (await this.#checkpoint.advance(this.here, rows, when)))
  }

  /**
   * Does some work and saves: in one transaction if the store has transactions, and otherwise one after the other.
   *
   * @returns false if this runner was overtaken
   * @throws what the work throws; then nothing was saved
   */
  async saveWith(to: LogPlace, rows: readonly Row[], work: Work): Promise<boolean> {
    if (this.#options.store.transact !== undefined) {
      return this.change(rows, () => this.#checkpoint.advanceWith(to, rows, work))
    }
    if (!(await this.isCurrent())) return false
    await work(undefined)
    return this.save(to, rows)
  }

  /**
   * Saves the checkpoint before a position at which this runner stops. Returns false if this runner was overtaken; the
   * other runner may have passed the position.
   */
  async saveBefore(position: number, rows: readonly Row[]): Promise<boolean> {
    return (await this.save(await this.placeAt(position - 1), rows)) && this.isCurrent()
  }

  /** Whether no other process has taken the checkpoint over. Then rows that were read before this call belong to it. */
  isCurrent(): Promise<boolean> {
    return this.#checkpoint.isCurrent()
  }

  /** A position with the checksum of its event. @throws StoreError `LOG_REPLACED` if the log ends before it */
  async placeAt(position: number): Promise<LogPlace> {
    return position === this.position ? this.here : placeInLog(position, this.#options.store)
  }

  // -- what is known -------------------------------------------------------------------------------------

  /** Changes the checkpoint, one change at a time. Returns false if this runner was overtaken. */
  change(rows: readonly Row[], change: () => Promise<boolean>): Promise<boolean> {
    return this.#saving.run(async () => {
      try {
        if (!(await change())) return false
      } catch (error) {
        // It may have been saved, with only the answer lost.
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

  /** Another runner has taken over: nothing in memory is current any more. */
  #overtaken<Result>(result: Result): Result {
    this.#isStale = true
    this.#options.lead.onOvertaken()
    return result
  }

  #takeOverIfStale = async (): Promise<boolean> => !this.#isStale || this.#takeOver()

  /**
   * Takes the stored checkpoint over, then reads the rows beside it. In this order no other process can change them
   * after they are read.
   *
   * @returns false if another runner took over meanwhile
   */
  async #takeOver(): Promise<boolean> {
    const { recognition, environment, store } = this.#options
    const breath = new Breath(environment)
    const raise = () => this.#checkpoint.raise(recognition.rows)
    this.#isStale = true
    await this.#options.underWay?.giveUp()
    do {
      // Checked even if it was checked in this term: the previous leader may have passed over events that this program
      // handles.
      await this.#find('again')
      if (!(await finishBegun(this.#checkpoint, this.#options, breath))) return this.#overtaken(false)
    } while (!((await parkPassedOver(this.#checkpoint, recognition, environment, breath)) && (await raise())))
    await this.#options.lead.onTakenOver?.()
    const { term } = this.#checkpoint
    if (term !== this.#ownTerm + 1) this.#othersLed++
    this.#ownTerm = term
    this.#recognised = { storage: this.storage, term }
    for (const known of this.#known) await known.load(store, this.storage, breath, this.#checkpoint.indexes)
    this.#isStale = false
    return true
  }

  /** Goes to the stored checkpoint, whichever program made it. What is known is read again before the next step. */
  #stepAside = async (): Promise<void> => {
    this.#isStale = true
    await this.#find('never')
  }

  async #look(wanted: readonly number[] = []): Promise<void> {
    if (!(await this.#find('once'))) this.#isStale = true
    const isOwn = this.#location.isBehind !== true && !this.isUnsettled
    if (isOwn) await passUnhandled(this.#checkpoint, wanted, this.#options)
  }

  /** Checks which program made what is stored: once for each term, or again. @throws `PROJECTION_CHANGED` */
  async #recognise(storage: string, stored: StoredCheckpoint, when: 'once' | 'again'): Promise<void> {
    const { term } = stored
    if (this.#location.isBehind === true || term === 0) return
    const isKnown = storage === this.#recognised.storage && term === this.#recognised.term
    if (isKnown && when === 'once') return
    const { recognition, environment } = this.#options
    this.isUnsettled = !(await recognition.check(storage, stored, new Breath(environment)))
    if (!this.isUnsettled) this.#recognised = { storage, term }
  }

  async #refresh(): Promise<void> {
    await this.#location.load()
    if (this.#location.live.storage !== this.storage) await this.#look()
  }

  /**
   * Goes to the stored checkpoint. Returns whether it was already there.
   *
   * @param recognise whether to check which program made the rows, before the position is reported to anyone
   * @throws ProjectionError `PROJECTION_CHANGED`; StoreError `STORE_CORRUPT`
   */
  async #find(recognise: 'once' | 'again' | 'never'): Promise<boolean> {
    const { store, recognition } = this.#options
    for (let before: string | undefined; ; ) {
      await this.#location.load()
      const { storage } = this.#location.live
      const stored = await (recognise === 'again' ? recognition.checkpointOf(storage) : store.loadCheckpoint(storage))
      checkNote({ store, storage }, stored)
      if (stored.position !== retiredAt) {
        const isHere = this.#checkpoint.isAt(storage, stored)
        // The work in progress belongs to the old checkpoint. After `goTo` it would count as the other runner's.
        if (!isHere) this.#options.underWay?.cut()
        if (recognise !== 'never') await this.#recognise(storage, stored, recognise)
        this.#checkpoint.goTo(storage, stored)
        return isHere
      }
      // The rows were retired between the two reads. Other rows are live now.
      this.#location.onRetired?.()
      if (before === storage) {
        const reason = 'the live rows are marked as retired'
        throw new StoreError('STORE_CORRUPT', { store: store.name, where: storage, reason })
      }
      before = storage
    }
  }
}
