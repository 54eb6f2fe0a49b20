/**
 * The steps of a projection with rows. A step reads the next events that the projection handles, folds them into their
 * rows, and saves rows and checkpoint together.
 */
import type { Fold } from '../../domain/aggregate.ts'
import type { AnyEventKind } from '../../domain/event.ts'
import type { HandledKinds } from '../../domain/handled-kinds.ts'
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
import { isNewer } from '../failures/blame.ts'
import { calledEvent, stoppedBefore, warnOfGivenUp } from '../failures/giving-up.ts'
import { beforeNewer, endingBefore, type Looked, refuseNewer } from '../failures/newer-events.ts'
import { ReadAhead } from '../log/read-ahead.ts'
import { readEach } from '../log/read-each.ts'
import type { Index } from '../stored/index-entries.ts'
import { behindKey, isParkedUpTo, type ParkedEvent, parkedRow, reasonOf, unparkedRow } from '../stored/parked-events.ts'
import { storedKey } from '../stored/row-key.ts'
import {
  type Failed,
  foldParking,
  foldRows,
  type Keyed,
  keyEvents,
  type LeftOut,
  partition,
  type StoredRows,
} from './fold-rows.ts'
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

/** The result of a batch. */
interface Folded {
  readonly rows: readonly Row[]
  /**
   * The first event that failed. The batch ends before it. If failed events are parked, the batch leaves out the event
   * and the events that queue behind it.
   */
  readonly failed: Failed | undefined
  /**
   * The first event that is newer than this program in a way that only its schema tells, unless one before it failed.
   * The batch ends before it.
   */
  readonly newer?: Failed
}

/**
 * The number of events that a step handles. After a full step the next one is twice as large, because rows that change
 * often are then saved less often.
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
    const { name, indexes } = projection
    const recognition = new Recognition({
      name: projection.name,
      kinds,
      store,
      warn,
      functionsOf: ({ evolve }) => [projection.initial, projection.key, evolve, ...indexes.map(namedIndex)],
      coverage: 'whole',
    })
    const shared = { name, store, environment, lead, location, recognition }
    this.bookmark = new Bookmark({
      ...shared,
      isKept: ({ key }, position) => isParkedUpTo(key, position),
      rows: this.#rows,
      indexes,
    })
  }

  prepare(signal: AbortSignal): Promise<void> {
    return this.#options.prepare(this.bookmark, signal)
  }

  async retry(parked: readonly ParkedEvent[], blocks: (key: string) => boolean, signal: AbortSignal): Promise<boolean> {
    // If the domain stops, events that were not tried stay parked.
    return (await untilAborted(signal, this.#retry(parked, blocks, signal))) ?? true
  }

  /** @param end only positions below it are handled */
  async step(signal: AbortSignal, end: number = Number.POSITIVE_INFINITY): Promise<StepResult | undefined> {
    const { giveUp } = this.#options.projection.policy
    const limit = this.#batchSize
    const larger = Math.min(2 * limit, batchSizeMost)
    const page = await this.#pages.read({ behind: this.bookmark.here, to: end, limit }, larger)
    const readable = beforeNewer(page, this.#kindOf)
    this.#batchSize = page.events.length >= limit ? larger : batchSizeLeast
    const folded = await untilAborted(signal, this.#foldPatiently(readable.events, signal))
    if (folded === undefined) return { events: 0, caughtUp: false }
    const { rows, failed, newer } = folded
    const { events, examined, isLast } = newer === undefined ? readable : beforeFailed(readable, newer)
    if (failed === undefined || giveUp === 'park') {
      // Readers in other processes wait for a position with a handled event, also if it changes no row.
      const when = events.length > 0 ? 'now' : 'soon'
      if (!(await this.bookmark.save(examined, rows, when))) return undefined
      if (failed !== undefined) this.#warn('park', failed)
      return { events: events.length, caughtUp: isLast, handled: events }
    }
    const { position } = failed.event
    if (giveUp === 'stop') {
      if (!(await this.bookmark.saveBefore(position, rows))) return undefined
      throw stoppedBefore(this.#options.projection.name, failed.event, failed.cause)
    }
    const index = events.findIndex((event) => event.position === position)
    if (!(await this.bookmark.save(events[index]!, rows))) return undefined
    this.#warn('skip', failed)
    return { events: index, caughtUp: false, handled: events.slice(0, index) }
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
    const breath = new Breath(this.#options.environment, signal)
    const { rows, failed, newer } = await this.#foldParking(events, blocks, breath)
    if (newer !== undefined) throw newer.cause
    // If a key is there twice, the last row counts. An event that fails again is therefore parked again.
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
   * Folds a batch, and if an event fails, again as often as the policy says. Returns `undefined` if it has to end
   * before that.
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
      // If the domain stops, the event has not failed. It is handled again another time.
      if (signal.aborted || !(await lead.keepLead())) return undefined
    }
  }

  /** Folds up to the first event that fails. Events that queue behind a parked event are parked. */
  async #fold(events: readonly StoredEvent[], blocks: (key: string) => boolean, breath: Breath): Promise<Folded> {
    const { projection, kinds, lead } = this.#options
    const { keyed, failed } = await lead.during(() => keyEvents(projection, kinds, events, true, breath))
    const { kept, leftOut } = partition(keyed, new Map(), blocks)
    const stored = await this.#storedRows(kept)
    const folded = await lead.during(() => foldRows(projection, kept, stored, breath))
    const failure = folded.failed ?? failed[0]
    const queued = leftOut.filter(({ event }) => failure === undefined || event.position < failure.event.position)
    const rows = [...this.#rows.withEntries(stored.values, folded.rows), ...this.#parkedRows(queued)]
    return failure !== undefined && isNewer(failure.cause)
      ? { rows, failed: undefined, newer: failure }
      : { rows, failed: failure }
  }

  /** Folds all events except those that fail or have to queue. These are parked. Ends before a newer event. */
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
    const newer = firstOf(failures.filter(({ cause }) => isNewer(cause)))
    if (newer !== undefined) {
      const before = events.filter(({ position }) => position < newer.event.position)
      return { ...(await this.#foldParking(before, blocks, breath)), newer }
    }
    return {
      rows: [...this.#rows.withEntries(stored.values, rows), ...this.#parkedRows([...unread, ...leftOut])],
      failed: failures[0],
    }
  }

  #parkedRows(leftOut: readonly (LeftOut | (Failed & { readonly keys: readonly string[] }))[]): readonly Row[] {
    const now = this.#options.environment.now()
    return leftOut.map((each) =>
      parkedRow(each.event, each.keys, 'behind' in each ? behindKey(each.behind) : reasonOf(each.cause), now),
    )
  }

  async #storedRows(keyed: readonly Keyed[]): Promise<StoredRows> {
    const { store } = this.#options
    const { storage } = this.bookmark
    const keys = new Set<string>()
    for (const each of keyed) for (const key of each.keys) keys.add(storedKey(key))
    return { place: { store, storage }, values: await this.#rows.valuesOf(keys, store, storage) }
  }
}

/**
 * The part of a page before an event that its program leaves to a newer one.
 *
 * @throws the cause, if nothing is before it
 */
function beforeFailed(page: Looked, { event, cause }: Failed): Looked {
  const index = page.events.findIndex(({ position }) => position === event.position)
  if (index === 0) throw cause
  return endingBefore(page, index)
}

const firstOf = (failures: readonly Failed[]): Failed | undefined =>
  failures.toSorted((a, b) => a.event.position - b.event.position)[0]

/** The result of some work, or `undefined` if the signal ended it. */
async function untilAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined
    throw error
  }
}

/** An index, for the fingerprint of the definition. */
const namedIndex = (index: Index): string => JSON.stringify(index.map(({ field, sign }) => [field, sign]))
