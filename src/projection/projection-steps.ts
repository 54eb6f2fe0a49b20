/**
 * How a projection goes forward: a step reads the next events that it handles, folds them into their rows, and saves rows and
 * checkpoint at once. Steps are taken one at a time, whoever asks for them.
 */
import { ProjectionError, StoreError } from '../domain/error.ts'
import type { AnyProjection } from '../domain/projection.ts'
import { backOffMs, type Environment, sleep } from '../kernel/environment.ts'
import type { Warn } from '../kernel/warning.ts'
import type { EventStore, ProjectionStore, Row, StoredEvent } from '../store/store.ts'
import { Checkpoint } from './checkpoint.ts'
import { Exclusive } from './exclusive.ts'
import { type Failed, foldParking, foldRows, keyEvents, type LeftOut, partition } from './fold-rows.ts'
import { retiredAt } from './generations.ts'
import {
  areParked,
  isOwnKey,
  listParked,
  type ParkedEvent,
  ParkedEvents,
  parkedRow,
  reasonOf,
  refuseUnknown,
  unparkedRow,
} from './parked-events.ts'
import { ReadAhead } from './read-ahead.ts'
import { readEach } from './read-each.ts'
import type { Lead, RetryResult, Stepper, StepResult } from './stepper.ts'

/** Where the rows are. It may change while a projection runs. */
export interface Home {
  readonly live: { readonly storage: string }
  /** Finds out. */
  load(): Promise<void>
  /** Told that the rows do not serve any more; throws if there are no others. */
  onRetired?(): void
}

export interface ProjectionStepsOptions {
  readonly projection: AnyProjection
  readonly store: EventStore & ProjectionStore
  readonly environment: Environment
  readonly warn: Warn
  readonly home: Home
  /** Brings the rows to the revision of the definition. */
  readonly prepare: (signal: AbortSignal) => Promise<void>
  readonly lead: Lead
}

/** What became of a batch. */
interface Folded {
  readonly rows: readonly Row[]
  /** The event that ends the batch; or that is parked, if `goesOn`. */
  readonly failed: Failed | undefined
  readonly goesOn: boolean
}

/** Events handled in one step: twice as many as in the last where that was full, since rows that change often are saved less often then. */
const batchSizeLeast = 1000
const batchSizeMost = 5000
/** Parked events tried again in one step. */
const retrySize = 100
/** Rows remembered from step to step; over it they are forgotten and loaded again. */
const knownRowsMax = 10_000

export class ProjectionSteps implements Stepper {
  readonly #options: ProjectionStepsOptions
  readonly #pages: ReadAhead
  readonly #checkpoint: Checkpoint
  readonly #parked = new ParkedEvents()
  readonly #exclusive = new Exclusive()
  /** The name under which the rows and the checkpoint are stored. */
  #storage: string
  #batchSize = batchSizeLeast
  /** Rows as they are stored at the checkpoint, whose compare-and-set proves them to be still the truth. */
  readonly #known = new Map<string, Row['value']>()
  /** Whether what is known here may not be what is stored beside the checkpoint: it is then read before the next step. */
  #isStale = false

  constructor(options: ProjectionStepsOptions) {
    this.#options = options
    this.#pages = new ReadAhead(options.store, [...options.projection.folds.keys()])
    this.#storage = options.home.live.storage
    this.#checkpoint = new Checkpoint(this.#storage, options.store, options.lead.onReached)
  }

  get position(): number {
    return this.#checkpoint.position
  }

  prepare(signal: AbortSignal): Promise<void> {
    return this.#options.prepare(signal)
  }

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
      const { home } = this.#options
      await home.load()
      if (home.live.storage !== this.#storage) await this.#load()
    })
  }

  beginBehind(position: number): Promise<void> {
    return this.#exclusive.run(async () => {
      await this.#load()
      await this.#checkpoint.beginBehind(position)
    })
  }

  save(): Promise<void> {
    return this.#exclusive.run(() => this.#checkpoint.flush())
  }

  /** @param end handles only positions below it */
  step(signal: AbortSignal, end: number = Number.POSITIVE_INFINITY): Promise<StepResult> {
    return this.#exclusive.run(() => this.#step(signal, end))
  }

  /** Also while a step takes its time: that is when somebody asks. */
  async parked(): Promise<readonly ParkedEvent[]> {
    for (;;) {
      const storage = this.#storage
      const parked = await listParked(this.#options.store, storage)
      if (storage === this.#storage) return parked
    }
  }

  retryParked(signal: AbortSignal): Promise<RetryResult> {
    return this.#exclusive.run(() => this.#retryParked(signal))
  }

  skipParked(position: number): Promise<void> {
    return this.#exclusive.run(async () => {
      for (let saved = false; !saved; ) {
        await this.#reload()
        const rows = this.#parked.rowsWithout(position)
        if (rows.length === 0) refuseUnknown(this.#options.projection.name, position)
        saved = await this.#save(this.position, rows, true)
      }
    })
  }

  /** Does some work while no step is taken, then goes to the checkpoint. */
  hold<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#exclusive.run(async () => {
      const result = await work()
      await this.#reload()
      return result
    })
  }

  // -- one at a time -------------------------------------------------------------------------------------

  /** Finds out where the rows and the checkpoint are. */
  async #find(): Promise<void> {
    const { home, store } = this.#options
    for (let before: string | undefined; ; before = this.#storage) {
      await home.load()
      this.#storage = home.live.storage
      if ((await store.loadCheckpoint(this.#storage)) !== retiredAt) return this.#checkpoint.load(this.#storage)
      // Retired between the two looks: other rows serve now.
      home.onRetired?.()
      if (before !== this.#storage) continue
      const reason = 'the rows that serve are marked as retired'
      throw new StoreError('STORE_CORRUPT', { store: this.#options.store.name, where: this.#storage, reason })
    }
  }

  async #load(): Promise<void> {
    this.#isStale = true
    this.#known.clear()
    await this.#find()
    await this.#parked.load(this.#options.store, this.#storage)
    this.#isStale = false
  }

  /** Goes to the stored checkpoint, which is brought to where this runner is: nobody sees it go back over what it has passed. */
  async #reload(): Promise<void> {
    await this.#checkpoint.flush()
    await this.#load()
  }

  async #step(signal: AbortSignal, end: number): Promise<StepResult> {
    if (this.#isStale) await this.#load()
    const limit = this.#batchSize
    const larger = Math.min(2 * limit, batchSizeMost)
    const page = await this.#pages.read({ from: this.position + 1, to: end, limit }, larger)
    this.#batchSize = page.events.length === limit ? larger : batchSizeLeast
    const folded = await this.#foldPatiently(page.events, signal)
    if (folded === undefined) return { events: 0, caughtUp: false }
    const { rows, failed, goesOn } = folded
    const ends = failed !== undefined && !goesOn
    const skips = ends && this.#options.projection.policy.giveUp === 'skip'
    const position = ends ? failed.event.position - (skips ? 0 : 1) : page.examined
    if (!(await this.#save(position, rows, ends))) {
      // Another runner was faster: its rows are as good as these. Go on from where it is.
      await this.#load()
      return { events: 0, caughtUp: false }
    }
    if (failed !== undefined) this.#report(failed, goesOn, skips)
    if (!ends) return { events: page.events.length, caughtUp: page.isLast }
    return { events: page.events.filter((event) => event.position < failed.event.position).length, caughtUp: false }
  }

  /** Saves rows and the checkpoint; false if another runner was faster. */
  async #save(position: number, rows: readonly Row[], atOnce: boolean): Promise<boolean> {
    if (!(await this.#checkpoint.advance(position, rows, atOnce))) return false
    this.#parked.apply(rows)
    for (const { key, value } of rows) if (!isOwnKey(key)) this.#known.set(key, value)
    if (this.#known.size > knownRowsMax) this.#known.clear()
    return true
  }

  /** A warning for what is skipped or parked; what can be neither is thrown. */
  #report({ event: { type, position }, cause }: Failed, parks: boolean, skips: boolean): void {
    const { projection, warn } = this.#options
    const facts = { projection: projection.name, position, event: type }
    if (!parks && !skips) throw new ProjectionError('PROJECTION_FAILED', facts, cause)
    const message = `The projection ${projection.name} ${parks ? 'parks' : 'skips'} ${type} at ${position}`
    warn({ code: parks ? 'PROJECTION_PARKED' : 'PROJECTION_SKIPPED', message, cause })
  }

  /** Folds a batch, and where it fails again as often as the policy says; gives nothing if it is told to end before that. */
  async #foldPatiently(events: readonly StoredEvent[], signal: AbortSignal): Promise<Folded | undefined> {
    const { environment, projection } = this.#options
    const { retries, firstMs, maxMs, giveUp } = projection.policy
    for (let tries = 0; ; tries++) {
      const folded =
        giveUp === 'park'
          ? await this.#foldParking(events, (key) => this.#parked.blocks(key))
          : await this.#fold(events)
      if (folded.failed === undefined || tries >= retries) return folded
      await sleep(environment, backOffMs(environment, tries, firstMs, maxMs), signal)
      // A domain that stops is no failure of the event: it is handled again another time.
      if (signal.aborted) return undefined
    }
  }

  /** Folds up to the first event that fails; what has to queue behind something parked earlier does so. */
  async #fold(events: readonly StoredEvent[]): Promise<Folded> {
    const { projection, environment } = this.#options
    const { keyed, failed } = keyEvents(projection, events, true)
    const { kept, leftOut } = partition(keyed, new Map(), (key) => this.#parked.blocks(key))
    const folded = foldRows(projection, kept, await this.#storedRows(kept.flatMap(({ keys }) => keys)))
    const failure = folded.failed ?? failed[0]
    const now = environment.now()
    const queued = leftOut
      .filter(({ event }) => failure === undefined || event.position < failure.event.position)
      .map((each) => parkedRow(each.event, each.keys, whyLeftOut(each), now))
    return { rows: [...folded.rows, ...queued], failed: failure, goesOn: false }
  }

  async #foldParking(events: readonly StoredEvent[], blocks: (key: string) => boolean): Promise<Folded> {
    const { projection, environment } = this.#options
    const { keyed, failed } = keyEvents(projection, events, false)
    const stored = await this.#storedRows(keyed.flatMap(({ keys }) => keys))
    const { rows, leftOut } = foldParking(projection, keyed, stored, blocks)
    const now = environment.now()
    const parked = [
      ...failed.map(({ event, cause }) => parkedRow(event, [], reasonOf(cause), now)),
      ...leftOut.map((each) => parkedRow(each.event, each.keys, whyLeftOut(each), now)),
    ]
    const failures = [...failed, ...leftOut.filter((each) => 'cause' in each)]
    return { rows: [...rows, ...parked], failed: failures[0], goesOn: true }
  }

  /** Rows as they are stored; those of the last steps are remembered. */
  async #storedRows(keys: readonly string[]): Promise<ReadonlyMap<string, Row['value']>> {
    const missing = [...new Set(keys)].filter((key) => !this.#known.has(key))
    if (missing.length > 0) {
      const values = await this.#options.store.loadRows(this.#storage, missing)
      for (const [i, key] of missing.entries()) this.#known.set(key, values[i])
    }
    return this.#known
  }

  async #retryParked(signal: AbortSignal): Promise<RetryResult> {
    await this.#reload()
    const before = this.#parked.all
    const blocked = new Set<string>()
    for (let start = 0; start < before.length && !signal.aborted; start += retrySize) {
      if (!(await this.#options.lead.keepLead())) break
      const positions = before.slice(start, start + retrySize).map(({ position }) => position)
      const events = await readEach(this.#options.store, positions)
      const { rows, failed } = await this.#foldParking(events, (key) => blocked.has(key))
      if (!(await areParked(this.#options.store, this.#storage, positions))) return this.#retryParked(signal)
      // Of a key that is there twice the last one counts: what fails again is parked again.
      if (!(await this.#save(this.position, [...positions.map(unparkedRow), ...rows], true))) {
        return this.#retryParked(signal)
      }
      if (failed !== undefined) this.#report(failed, true, false)
      const still = new Set(this.#parked.all.map(({ position }) => position))
      for (const { position, keys } of before) {
        if (still.has(position) && positions.includes(position)) for (const key of keys) blocked.add(key)
      }
    }
    const parked = this.#parked.all.length
    return { handled: before.length - parked, parked }
  }
}

const whyLeftOut = (each: LeftOut): string =>
  'behind' in each ? `it queues behind another with the key ${each.behind}` : reasonOf(each.cause)
