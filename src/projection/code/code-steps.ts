/**
 * The steps of a projection as code. A step gives the handler the next events, many at once. In a store with SQL, the
 * handler's writes and the checkpoint are saved in one transaction. In other stores the checkpoint is saved when the
 * handler is done. If a batch fails, its events are handled one by one, so that only the event that cannot be handled
 * counts as failed.
 */
import type { AnyCodeProjection, HandlerTools } from '../../domain/code-projection.ts'
import { discreet } from '../../domain/discreet.ts'
import { hasCode, ProjectionError } from '../../domain/error.ts'
import type { AnyEventKind, RecordedEvent } from '../../domain/event.ts'
import type { HandledKinds } from '../../domain/handled-kinds.ts'
import { carrying } from '../../domain/sealed-value.ts'
import type { SqlTransaction } from '../../domain/sql-transaction.ts'
import { eventOf } from '../../kernel/rehydrate.ts'
import { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { EventStore, LogPlace, ProjectionStore, Row, StoredEvent } from '../../store/store.ts'
import { Bookmark } from '../checkpoint/bookmark.ts'
import { Recognition } from '../checkpoint/recognition.ts'
import type { StepperContext, StepResult } from '../checkpoint/step.ts'
import type { Stepper } from '../checkpoint/stepper.ts'
import { isNewer, isOfStore } from '../failures/blame.ts'
import { calledEvent, stoppedBefore, warnOfGivenUp } from '../failures/giving-up.ts'
import { beforeNewer, refuseNewer } from '../failures/newer-events.ts'
import { ReadAhead } from '../log/read-ahead.ts'
import { readEach } from '../log/read-each.ts'
import { behindKey, isParkedUpTo, type ParkedEvent, parkedRow, reasonOf, unparkedRow } from '../stored/parked-events.ts'

export interface CodeStepsOptions {
  readonly projection: AnyCodeProjection
  readonly kinds: HandledKinds<{ readonly kind: AnyEventKind }>
  readonly store: EventStore & ProjectionStore
  /** The name of the store, for errors. */
  readonly storeName: string
  readonly environment: Environment
  readonly warn: Warn
  readonly lead: StepperContext
}

/** The handler failed, not the store. */
class HandlerFailed extends Error {
  override readonly name = 'HandlerFailed'

  constructor(cause: unknown) {
    super('the handler failed', { cause })
  }
}

/** Work that uses the tools of a handler. */
type Work = (tools: HandlerTools) => Promise<unknown> | unknown

/** The result of work: true if it is saved, false if this runner was overtaken, or the failure. */
type Saved = boolean | HandlerFailed

/** How often a preparation is tried whose transaction was open for too long. */
const preparationTriesMax = 3
/** The number of events that the handler gets at once. */
const batchSize = 1000

export class CodeSteps implements Stepper {
  readonly #options: CodeStepsOptions
  readonly #pages: ReadAhead
  readonly bookmark: Bookmark
  readonly retrySize = 1

  constructor(options: CodeStepsOptions) {
    const { projection, kinds, store, environment, warn, lead } = options
    this.#options = options
    this.#pages = new ReadAhead(store, kinds)
    const recognition = new Recognition({
      name: projection.name,
      kinds,
      store,
      warn,
      functionsOf: () => [projection.handler],
      coverage: 'whole',
    })
    this.bookmark = new Bookmark({
      name: projection.name,
      store,
      environment,
      lead,
      recognition,
      isKept: ({ key }, position) => isParkedUpTo(key, position),
    })
  }

  async prepare(signal: AbortSignal): Promise<void> {
    const { preparation, name: projection } = this.#options.projection
    if (preparation === undefined) return
    await this.bookmark.atStored(async () => {
      for (let tries = 1; ; tries++) {
        const saved = await this.#saveWith(preparation, this.bookmark.here, [], signal)
        if (!(saved instanceof HandlerFailed)) return saved || undefined
        // The process may have stood still. Else nothing would run the projection until somebody starts it again.
        const mayPass = hasCode(saved.cause, 'TRANSACTION_TOO_LONG') && tries < preparationTriesMax && !signal.aborted
        if (!mayPass) throw new ProjectionError('PROJECTION_UNPREPARED', { projection }, saved.cause)
      }
    })
  }

  async retry([one]: readonly ParkedEvent[], blocks: (key: string) => boolean, signal: AbortSignal): Promise<boolean> {
    return one!.keys.some(blocks) || (await this.#retry(one!.position, signal)) !== false
  }

  async step(signal: AbortSignal): Promise<StepResult | undefined> {
    const wanted = { behind: this.bookmark.here, to: Number.POSITIVE_INFINITY, limit: batchSize }
    const { events, examined, isLast } = beforeNewer(await this.#pages.read(wanted), this.#kindOf)
    const handled = { events: events.length, caughtUp: isLast, handled: events }
    if (events.length === 0) return (await this.bookmark.save(examined, [], 'soon')) ? handled : undefined
    const saved = await this.#handleAll(events, examined, signal)
    if (!(saved instanceof HandlerFailed)) return saved ? handled : undefined
    if (events.length === 1) {
      return (await this.#handleOne(events[0]!, examined, signal, saved)) ? handled : undefined
    }
    for (const [i, event] of events.entries()) {
      if (signal.aborted || !(await this.#options.lead.keepLead()))
        return { events: i, caughtUp: false, handled: events.slice(0, i) }
      const to = i === events.length - 1 ? examined : event
      if (!(await this.#handleOne(event, to, signal))) return undefined
    }
    return handled
  }

  /** Handles a batch at once, except for events that queue behind a parked event. */
  async #handleAll(stored: readonly StoredEvent[], to: LogPlace, signal: AbortSignal): Promise<Saved> {
    const { projection, environment } = this.#options
    const events: RecordedEvent[] = []
    const queued: Row[] = []
    const waiting = new Set<string>()
    const breath = new Breath(environment)
    try {
      for (const each of stored) {
        if (breath.isDue) await breath.pause()
        const event = this.#upcast(each)
        const keys = carrying(() => projection.keysOf(event))
        const behind = keys.find((key) => waiting.has(key) || this.bookmark.parked.blocks(key))
        if (behind === undefined) events.push(event)
        else {
          queued.push(parkedRow(event, keys, behindKey(behind), environment.now()))
          for (const key of keys) waiting.add(key)
        }
      }
    } catch (cause) {
      return new HandlerFailed(cause)
    }
    const handle: Work = (tools) => (events.length === 0 ? undefined : projection.handler(events, tools))
    return this.#saveWith(handle, to, queued, signal)
  }

  /**
   * Handles one event, again as often as the policy says, and then gives it up as the policy says.
   *
   * @param failed the failure of a try before this call
   * @returns false if this runner was overtaken
   * @throws ProjectionError `PROJECTION_FAILED`
   */
  async #handleOne(stored: StoredEvent, to: LogPlace, signal: AbortSignal, failed?: HandlerFailed): Promise<boolean> {
    const { projection, lead } = this.#options
    const { policy } = projection
    for (let before = failed; ; before = undefined) {
      const saved = before ?? (await this.#handleAll([stored], to, signal))
      if (!(saved instanceof HandlerFailed)) return saved
      // If the domain stops, the event has not failed. It is handled again another time.
      if (signal.aborted) return true
      if (isNewer(saved.cause)) throw saved.cause
      const cause = discreet(saved.cause, this.#dataOf(stored))
      if (!(await lead.tries.again(stored, cause, policy, signal))) return this.#giveUp(stored, to, cause)
      if (!(await lead.keepLead())) return false
    }
  }

  /** @returns false if this runner was overtaken */
  async #giveUp(stored: StoredEvent, to: LogPlace, cause: unknown): Promise<boolean> {
    const { projection, warn, environment } = this.#options
    const { name } = projection
    const { giveUp } = projection.policy
    if (giveUp === 'stop') {
      if (!(await this.bookmark.saveBefore(stored.position, []))) return false
      throw stoppedBefore(name, stored, cause)
    }
    const row = () => parkedRow(stored, this.#keysOf(stored), reasonOf(cause), environment.now())
    if (!(await this.bookmark.save(to, giveUp === 'park' ? [row()] : []))) return false
    warnOfGivenUp({ name, warn }, giveUp, calledEvent(stored), cause)
    return true
  }

  async #retry(position: number, signal: AbortSignal): Promise<Saved> {
    const { store, projection } = this.#options
    const { here } = this.bookmark
    const [stored] = await readEach(store, [position], here)
    refuseNewer([stored!], this.#kindOf)
    const handle: Work = (tools) => projection.handler([this.#upcast(stored!)], tools)
    const saved = await this.#saveWith(handle, here, [unparkedRow(position)], signal)
    if (!(saved instanceof HandlerFailed)) return saved
    if (isNewer(saved.cause)) throw saved.cause
    return new HandlerFailed(discreet(saved.cause, this.#dataOf(stored!)))
  }

  // -- the handler ------------------------------------------------------------------------------------------

  /** Does the handler's work and saves the checkpoint. */
  async #saveWith(work: Work, to: LogPlace, rows: readonly Row[], signal: AbortSignal): Promise<Saved> {
    try {
      return await this.bookmark.saveWith(to, rows, (transaction) => this.#call(work, signal, transaction))
    } catch (error) {
      if (error instanceof HandlerFailed) return error
      // A transaction that fails at its end, or because it takes too long, is the handler's fault.
      if (isOfStore(error)) throw error
      return new HandlerFailed(error)
    }
  }

  async #call(work: Work, signal: AbortSignal, transaction: SqlTransaction | undefined): Promise<void> {
    const { projection, storeName: store, lead } = this.#options
    const tools: HandlerTools = {
      signal,
      get transaction() {
        if (transaction !== undefined) return transaction
        throw new ProjectionError('TRANSACTION_MISSING', { projection: projection.name, store })
      },
    }
    try {
      await lead.during(async () => work(tools))
    } catch (cause) {
      if (isOfStore(cause)) throw cause
      throw new HandlerFailed(cause)
    }
  }

  readonly #kindOf = (event: StoredEvent): AnyEventKind | undefined => this.#options.kinds.of(event)?.kind

  #upcast(stored: StoredEvent): RecordedEvent {
    return eventOf(this.#kindOf(stored)!, stored)
  }

  /** The data of an event; `undefined` if it cannot be read. */
  #dataOf(stored: StoredEvent): unknown {
    try {
      return this.#upcast(stored).data
    } catch {
      return undefined
    }
  }

  /** The keys of an event; none if it cannot be read. */
  #keysOf(stored: StoredEvent): readonly string[] {
    try {
      const event = this.#upcast(stored)
      return carrying(() => this.#options.projection.keysOf(event))
    } catch {
      return []
    }
  }
}
