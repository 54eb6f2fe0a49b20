/**
 * Where a projection or reaction is in the log: its checkpoint, and what is known here of the rows beside it. Both are read together,
 * change together, and are in use by one thing at a time, whoever asks. Each stepper has one, and tells only how it handles events.
 */
import { ProjectionError, StoreError } from '../domain/error.ts'
import type { EventStore, ProjectionStore, Row } from '../store/store.ts'
import { Checkpoint, type Work } from './checkpoint.ts'
import { Exclusive } from './exclusive.ts'
import { retiredAt } from './generations.ts'
import { listParked, type ParkedEvent, ParkedEvents } from './parked-events.ts'
import type { Lead, RetryResult, StepResult } from './stepper.ts'

/** Where checkpoint and rows are. It may change while a projection runs. */
export interface Home {
  readonly live: { readonly storage: string }
  /** Finds out. */
  load(): Promise<void>
  /** Told that the rows do not serve any more; throws if there are no others. */
  onRetired?(): void
}

/** What is known of rows beside a checkpoint. */
export interface KnownRows {
  /** Forgets all, and reads what is stored: now, or when it is wanted. */
  load(store: ProjectionStore, storage: string): Promise<void> | void
  /** Takes over rows that were saved; passes over those that are of other kinds. */
  apply(rows: readonly Row[]): void
}

export interface PlaceOptions {
  /** What the projection or reaction is called, and is stored under if it has no home that says otherwise. */
  readonly name: string
  readonly store: EventStore & ProjectionStore
  readonly lead: Lead
  readonly home?: Home
  /** What it keeps besides what is parked. */
  readonly rows?: KnownRows
}

/** How what is parked is tried again. */
export interface Retry {
  /** How many at once. */
  readonly size: number
  /**
   * Handles some, and saves what became of them; gives false if another runner was faster.
   *
   * @param blocks whether one that failed before them has a key
   */
  readonly attempt: (parked: readonly ParkedEvent[], blocks: (key: string) => boolean) => Promise<boolean>
  /** Done when all were tried. */
  readonly finish?: () => Promise<unknown>
}

export class Place {
  readonly #options: PlaceOptions
  readonly #home: Home
  readonly #checkpoint: Checkpoint
  readonly #known: readonly KnownRows[]
  readonly #exclusive = new Exclusive()
  /** Rows are saved one at a time, also where a handler does several things at once. */
  readonly #saving = new Exclusive()
  /** Whether what is known here may not be what is stored: it is then read before the next step. */
  #isStale = true
  readonly parked: ParkedEvents = new ParkedEvents()

  constructor(options: PlaceOptions) {
    const { name, store, lead, home, rows } = options
    this.#options = options
    this.#home = home ?? { live: { storage: name }, load: async () => {} }
    this.#checkpoint = new Checkpoint(this.#home.live.storage, store, lead.onReached)
    this.#known = rows === undefined ? [this.parked] : [rows, this.parked]
  }

  /** The last position that is handled. */
  get position(): number {
    return this.#checkpoint.position
  }

  /** The name under which the rows and the checkpoint are stored. */
  get storage(): string {
    return this.#checkpoint.name
  }

  // -- one at a time, as a stepper is asked (`stepper.ts`); none is called within another -------------------

  look(): Promise<void> {
    return this.#exclusive.run(() => {
      this.#isStale = true
      return this.#find()
    })
  }

  load(): Promise<void> {
    return this.#exclusive.run(() => this.#load())
  }

  refresh(): Promise<void> {
    return this.#exclusive.run(async () => {
      await this.#home.load()
      if (this.#home.live.storage !== this.storage) await this.#load()
    })
  }

  beginBehind(position: number): Promise<void> {
    return this.#exclusive.run(async () => {
      await this.#load()
      await this.#checkpoint.beginBehind(position)
    })
  }

  /** Saves the checkpoint behind what was passed over. */
  flush(): Promise<void> {
    return this.#exclusive.run(() => this.#checkpoint.flush())
  }

  /** Does some work while nothing else is done, then goes to the checkpoint. */
  hold<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#exclusive.run(async () => {
      const result = await work()
      await this.#reload()
      return result
    })
  }

  /** @param work gives nothing if another runner was faster, whose step is as good: the next one goes on from there */
  step(work: () => Promise<StepResult | undefined>): Promise<StepResult> {
    return this.#exclusive.run(async () => {
      if (this.#isStale) await this.#load()
      const result = await work()
      if (result !== undefined) return result
      await this.#load()
      return { events: 0, caughtUp: false }
    })
  }

  /** Does some work from the stored checkpoint on; again as long as it gives nothing, since another runner was faster. */
  fromStored<Result>(work: () => Promise<Result | undefined>): Promise<Result> {
    return this.#exclusive.run(async () => {
      for (;;) {
        await this.#reload()
        const result = await work()
        if (result !== undefined) return result
      }
    })
  }

  retryParked(signal: AbortSignal, { size, attempt, finish }: Retry): Promise<RetryResult> {
    return this.fromStored(async () => {
      const before = this.parked.all
      const blocked = new Set<string>()
      for (let start = 0; start < before.length; start += size) {
        if (signal.aborted || !(await this.#options.lead.keepLead())) break
        const some = before.slice(start, start + size)
        if (!(await attempt(some, (key) => blocked.has(key)))) return undefined
        for (const { position, keys } of some) {
          if (this.parked.holds(position)) for (const key of keys) blocked.add(key)
        }
      }
      await finish?.()
      const parked = this.parked.all.length
      return { handled: before.length - parked, parked }
    })
  }

  /** @param rowsWith what changes with what is parked */
  async skipParked(position: number, rowsWith: () => readonly Row[] = () => []): Promise<void> {
    await this.fromStored(async () => {
      const rows = this.parked.rowsWithout(position)
      if (rows.length === 0) throw new ProjectionError('PARKED_UNKNOWN', { projection: this.#options.name, position })
      return (await this.save(this.position, [...rows, ...rowsWith()])) || undefined
    })
  }

  // -- at any time ---------------------------------------------------------------------------------------

  /** What is parked as it is stored: also while a step takes its time, since that is when somebody asks. */
  async listParked(): Promise<readonly ParkedEvent[]> {
    for (;;) {
      const { storage } = this
      const parked = await listParked(this.#options.store, storage)
      if (storage === this.storage) return parked
    }
  }

  // -- within a step -------------------------------------------------------------------------------------

  /**
   * Saves rows, and how far the log is handled; false if another runner was faster.
   *
   * @param atOnce false if positions without rows may wait until there are more of them
   */
  save(position: number, rows: readonly Row[], atOnce: boolean = true): Promise<boolean> {
    return this.#change(rows, () => this.#checkpoint.advance(position, rows, atOnce))
  }

  /**
   * Does some work and saves: in one transaction where the store has them, one after the other elsewhere.
   *
   * @returns false if another runner was faster
   * @throws what the work throws, and nothing was saved
   */
  async saveWith(position: number, rows: readonly Row[], work: Work): Promise<boolean> {
    if (this.#options.store.transact !== undefined) {
      return this.#change(rows, () => this.#checkpoint.advanceWith(position, rows, work))
    }
    await work(undefined)
    return this.save(position, rows)
  }

  /** Saves where this runner is to stop; false if another was faster, who may have passed what this one stops at. */
  async saveAtStop(position: number, rows: readonly Row[]): Promise<boolean> {
    return (await this.save(position, rows)) && this.isCurrent()
  }

  /** Whether nobody else has moved the checkpoint. What was read of the rows before belongs to it then. */
  isCurrent(): Promise<boolean> {
    return this.#checkpoint.isCurrent()
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

  async #load(): Promise<void> {
    this.#isStale = true
    await this.#find()
    for (const known of this.#known) await known.load(this.#options.store, this.storage)
    this.#isStale = false
  }

  /** Goes to the stored checkpoint, which is brought to where this runner is: nobody sees it go back over what it has passed. */
  async #reload(): Promise<void> {
    await this.#checkpoint.flush()
    await this.#load()
  }

  /** Finds out where the checkpoint is. */
  async #find(): Promise<void> {
    const { store } = this.#options
    for (let before: string | undefined; ; ) {
      await this.#home.load()
      const { storage } = this.#home.live
      const stored = await store.loadCheckpoint(storage)
      if (stored.position !== retiredAt) return this.#checkpoint.goTo(storage, stored)
      // Retired between the two looks: other rows serve now.
      this.#home.onRetired?.()
      if (before === storage) {
        const reason = 'the rows that serve are marked as retired'
        throw new StoreError('STORE_CORRUPT', { store: store.name, where: storage, reason })
      }
      before = storage
    }
  }
}
