/**
 * How a projection goes forward: a step reads the next events that it handles, folds them into their rows, and saves
 * rows and checkpoint at once.
 */
import type { Fold } from '../../domain/aggregate.ts'
import type { AnyEventKind } from '../../domain/event.ts'
import type { HandledKinds } from '../../domain/handled-kinds.ts'
import type { Json } from '../../domain/json.ts'
import type { AnyProjection } from '../../domain/projection.ts'
import { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { EventStore, ProjectionStore, Row, StoredEvent } from '../../store/store.ts'
import { Bookmark } from '../checkpoint/bookmark.ts'
import type { RowLocation } from '../checkpoint/bookmark-options.ts'
import { Recognition } from '../checkpoint/recognition.ts'
import type { StepperContext, StepResult } from '../checkpoint/step.ts'
import type { Stepper } from '../checkpoint/stepper.ts'
import { calledEvent, stoppedBefore, warnOfGivenUp } from '../failures/giving-up.ts'
import { beforeNewer, refuseNewer } from '../failures/newer-events.ts'
import { ReadAhead } from '../log/read-ahead.ts'
import { readEach } from '../log/read-each.ts'
import { behindKey, isParkedUpTo, type ParkedEvent, parkedRow, reasonOf, unparkedRow } from '../stored/parked-events.ts'
import { storedKey } from '../stored/row-key.ts'
import { type Failed, foldParking, foldRows, type Keyed, keyEvents, type LeftOut, partition } from './fold-rows.ts'
import { RememberedRows } from './remembered-rows.ts'

export interface ProjectionStepsOptions {
  readonly projection: AnyProjection
  readonly kinds: HandledKinds<Fold>
  readonly store: EventStore & ProjectionStore
  readonly environment: Environment
  readonly warn: Warn
  readonly location: RowLocation
  /** Brings the rows to the revision of the definition. */
  readonly prepare: (bookmark: Bookmark, signal: AbortSignal) => Promise<void>
  readonly lead: StepperContext
}

/** What became of a batch. */
interface Folded {
  readonly rows: readonly Row[]
  /**
   * The first event that failed: the batch ends before it, or without it and what queues behind it if those are parked.
   */
  readonly failed: Failed | undefined
}

/**
 * Events handled in one step: twice as many as in the last where that was full, since rows that change often are saved
 * less often then.
 */
const batchSizeLeast = 1000
const batchSizeMost = 5000

export class ProjectionSteps implements Stepper {
  readonly #options: ProjectionStepsOptions
  readonly #pages: ReadAhead
  readonly #rows = new RememberedRows()
  readonly bookmark: Bookmark
  readonly retrySize = 100
  #batchSize = batchSizeLeast

  constructor(options: ProjectionStepsOptions) {
    const { projection, kinds, store, environment, warn, location, lead } = options
    this.#options = options
    this.#pages = new ReadAhead(store, kinds)
    const recognition = new Recognition({
      name: projection.name,
      kinds,
      store,
      warn,
      functionsOf: ({ evolve }) => [projection.initial, projection.key, evolve],
      coverage: 'whole',
    })
    const { name } = projection
    const rows = this.#rows
    this.bookmark = new Bookmark({ name, store, environment, lead, location, recognition, isKept: isParkedUpTo, rows })
  }

  prepare(signal: AbortSignal): Promise<void> {
    return this.#options.prepare(this.bookmark, signal)
  }

  async retry(parked: readonly ParkedEvent[], blocks: (key: string) => boolean, signal: AbortSignal): Promise<boolean> {
    // What a domain that stops has not tried stays parked.
    return (await untilAborted(signal, this.#retry(parked, blocks, signal))) ?? true
  }

  /** @param end handles only positions below it */
  async step(signal: AbortSignal, end: number = Number.POSITIVE_INFINITY): Promise<StepResult | undefined> {
    const { giveUp } = this.#options.projection.policy
    const limit = this.#batchSize
    const larger = Math.min(2 * limit, batchSizeMost)
    const page = await this.#pages.read({ behind: this.bookmark.here, to: end, limit }, larger)
    const { events, examined, isLast } = beforeNewer(page, this.#kindOf)
    this.#batchSize = page.events.length >= limit ? larger : batchSizeLeast
    const folded = await untilAborted(signal, this.#foldPatiently(events, signal))
    if (folded === undefined) return { events: 0, caughtUp: false }
    const { rows, failed } = folded
    if (failed === undefined || giveUp === 'park') {
      if (!(await this.bookmark.save(examined, rows, 'soon'))) return undefined
      if (failed !== undefined) this.#warn('park', failed)
      return { events: events.length, caughtUp: isLast }
    }
    const { position } = failed.event
    if (giveUp === 'stop') {
      if (!(await this.bookmark.saveBefore(position, rows))) return undefined
      throw stoppedBefore(this.#options.projection.name, failed.event, failed.cause)
    }
    const index = events.findIndex((event) => event.position === position)
    if (!(await this.bookmark.save(events[index]!, rows))) return undefined
    this.#warn('skip', failed)
    return { events: index, caughtUp: false }
  }

  async #retry(
    parked: readonly ParkedEvent[],
    blocks: (key: string) => boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { here } = this.bookmark
    const positions = parked.map(({ position }) => position)
    const events = await readEach(this.#options.store, positions, here)
    refuseNewer(events, this.#kindOf)
    const { rows, failed } = await this.#foldParking(events, blocks, new Breath(this.#options.environment, signal))
    // Of a key that is there twice the last one counts: what fails again is parked again.
    if (!(await this.bookmark.save(here, [...positions.map(unparkedRow), ...rows]))) return false
    if (failed !== undefined) this.#warn('park', failed)
    return true
  }

  #warn(giveUp: 'park' | 'skip', { event, cause }: Failed): void {
    const { projection, warn } = this.#options
    warnOfGivenUp({ name: projection.name, warn }, giveUp, calledEvent(event), cause)
  }

  readonly #kindOf = (event: StoredEvent): AnyEventKind | undefined => this.#options.kinds.of(event)?.kind

  // -- folding -------------------------------------------------------------------------------------------

  /**
   * Folds a batch, and where it fails again as often as the policy says; gives nothing if it is told to end before
   * that.
   */
  async #foldPatiently(events: readonly StoredEvent[], signal: AbortSignal): Promise<Folded | undefined> {
    const { projection, environment, lead } = this.#options
    const { policy } = projection
    const blocks = (key: string) => this.bookmark.parked.blocks(key)
    const breath = new Breath(environment, signal)
    for (;;) {
      const folded = await (policy.giveUp === 'park'
        ? this.#foldParking(events, blocks, breath)
        : this.#fold(events, blocks, breath))
      if (folded.failed === undefined) return folded
      const { event, cause } = folded.failed
      if (!(await lead.tries.again(event, cause, policy, signal))) return folded
      // A domain that stops is no failure of the event: it is handled again another time.
      if (signal.aborted || !(await lead.keepLead())) return undefined
    }
  }

  /** Folds up to the first event that fails; what has to queue behind something parked earlier does so. */
  async #fold(events: readonly StoredEvent[], blocks: (key: string) => boolean, breath: Breath): Promise<Folded> {
    const { projection, kinds, lead } = this.#options
    const { keyed, failed } = await lead.during(() => keyEvents(projection, kinds, events, true, breath))
    const { kept, leftOut } = partition(keyed, new Map(), blocks)
    const stored = await this.#storedRows(kept)
    const folded = await lead.during(() => foldRows(projection, kept, stored, breath))
    const failure = folded.failed ?? failed[0]
    const queued = leftOut.filter(({ event }) => failure === undefined || event.position < failure.event.position)
    return { rows: [...folded.rows, ...this.#parkedRows(queued)], failed: failure }
  }

  /** Folds all but what fails and what has to queue. */
  async #foldParking(
    events: readonly StoredEvent[],
    blocks: (key: string) => boolean,
    breath: Breath,
  ): Promise<Folded> {
    const { projection, kinds, lead } = this.#options
    const { keyed, failed } = await lead.during(() => keyEvents(projection, kinds, events, false, breath))
    const stored = await this.#storedRows(keyed)
    const { rows, leftOut } = await lead.during(() => foldParking(projection, keyed, stored, blocks, breath))
    const unread = failed.map((each) => ({ ...each, keys: [] }))
    const failures = [...failed, ...leftOut.filter((each) => 'cause' in each)]
    return { rows: [...rows, ...this.#parkedRows([...unread, ...leftOut])], failed: failures[0] }
  }

  #parkedRows(leftOut: readonly (LeftOut | (Failed & { readonly keys: readonly string[] }))[]): readonly Row[] {
    const now = this.#options.environment.now()
    return leftOut.map((each) =>
      parkedRow(each.event, each.keys, 'behind' in each ? behindKey(each.behind) : reasonOf(each.cause), now),
    )
  }

  #storedRows(keyed: readonly Keyed[]): Promise<ReadonlyMap<string, Json | undefined>> {
    const keys = new Set<string>()
    for (const each of keyed) for (const key of each.keys) keys.add(storedKey(key))
    return this.#rows.valuesOf(keys, this.#options.store, this.bookmark.storage)
  }
}

/** What some work gives; nothing if it was ended by the signal. */
async function untilAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined
    throw error
  }
}
