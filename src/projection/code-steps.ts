/**
 * How a projection as code goes forward: a step gives the handler the next events, many at once. In a store with SQL what it writes
 * and the checkpoint are one transaction; elsewhere the checkpoint follows when the handler is done. Where many events fail
 * together they are handled one by one, so that only the one that cannot be handled is held against the projection.
 */
import type { AnyCodeProjection, HandlerTools } from '../domain/code-projection.ts'
import { ProjectionError, StoreError } from '../domain/error.ts'
import { lift, type RecordedEvent } from '../domain/event.ts'
import type { SqlTransaction } from '../domain/sql-transaction.ts'
import { backOffMs, type Environment, sleep } from '../kernel/environment.ts'
import type { Warn } from '../kernel/warning.ts'
import type { EventStore, ProjectionStore, Row, StoredEvent } from '../store/store.ts'
import { Checkpoint } from './checkpoint.ts'
import { Exclusive } from './exclusive.ts'
import {
  areParked,
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

export interface CodeStepsOptions {
  readonly projection: AnyCodeProjection
  readonly store: EventStore & ProjectionStore
  /** What the store is called. */
  readonly storeName: string
  readonly environment: Environment
  readonly warn: Warn
  readonly lead: Lead
}

/** The handler failed, as opposed to the store. */
class HandlerFailed extends Error {
  override readonly name = 'HandlerFailed'

  constructor(cause: unknown) {
    super('the handler failed', { cause })
  }
}

/** Another process has done it. */
class Overtaken extends Error {
  override readonly name = 'Overtaken'
}

/** What a handling leaves: the checkpoint and the rows. */
interface Left {
  readonly to: number
  readonly rows: readonly Row[]
}

type Saved = 'saved' | 'overtaken' | HandlerFailed

/** Events given to the handler at once. */
const batchSize = 1000

export class CodeSteps implements Stepper {
  readonly #options: CodeStepsOptions
  readonly #pages: ReadAhead
  readonly #checkpoint: Checkpoint
  readonly #parked = new ParkedEvents()
  readonly #exclusive = new Exclusive()
  /** Whether what is known here may not be what is stored beside the checkpoint: it is then read before the next step. */
  #isStale = false

  constructor(options: CodeStepsOptions) {
    this.#options = options
    this.#pages = new ReadAhead(options.store, [...options.projection.kinds.keys()])
    this.#checkpoint = new Checkpoint(options.projection.name, options.store, options.lead.onReached)
  }

  get position(): number {
    return this.#checkpoint.position
  }

  prepare(signal: AbortSignal): Promise<void> {
    return this.#exclusive.run(() => this.#prepare(signal))
  }

  look(): Promise<void> {
    return this.#exclusive.run(() => {
      this.#isStale = true
      return this.#checkpoint.load()
    })
  }

  load(): Promise<void> {
    return this.#exclusive.run(() => this.#load())
  }

  async refresh(): Promise<void> {}

  beginBehind(position: number): Promise<void> {
    return this.#exclusive.run(async () => {
      await this.#load()
      await this.#checkpoint.beginBehind(position)
    })
  }

  save(): Promise<void> {
    return this.#exclusive.run(() => this.#checkpoint.flush())
  }

  step(signal: AbortSignal): Promise<StepResult> {
    return this.#exclusive.run(() => this.#step(signal))
  }

  parked(): Promise<readonly ParkedEvent[]> {
    return listParked(this.#options.store, this.#options.projection.name)
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
        saved = await this.#save({ to: this.position, rows })
      }
    })
  }

  // -- one at a time -------------------------------------------------------------------------------------

  async #load(): Promise<void> {
    this.#isStale = true
    await this.#checkpoint.load()
    await this.#parked.load(this.#options.store, this.#options.projection.name)
    this.#isStale = false
  }

  /** Goes to the stored checkpoint, which is brought to where this runner is: nobody sees it go back over what it has passed. */
  async #reload(): Promise<void> {
    await this.#checkpoint.flush()
    await this.#load()
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    const { preparation, name: projection } = this.#options.projection
    if (preparation === undefined) return
    for (let saved: Saved = 'overtaken'; saved !== 'saved'; ) {
      await this.#load()
      saved = await this.#saveWith(preparation, { to: this.position, rows: [] }, signal)
      if (saved instanceof HandlerFailed)
        throw new ProjectionError('PROJECTION_UNPREPARED', { projection }, saved.cause)
    }
  }

  async #step(signal: AbortSignal): Promise<StepResult> {
    if (this.#isStale) await this.#load()
    const page = await this.#pages.read({
      from: this.position + 1,
      to: Number.POSITIVE_INFINITY,
      limit: batchSize,
    })
    const handled = { events: page.events.length, caughtUp: page.isLast }
    if (page.events.length === 0) {
      return (await this.#save({ to: page.examined, rows: [] }, false)) ? handled : this.#startOver()
    }
    const saved = await this.#handleAll(page.events, page.examined, signal)
    if (saved === 'saved') return handled
    if (saved === 'overtaken') return this.#startOver()
    const [only, ...more] = page.events
    if (more.length === 0) {
      return (await this.#handleOne(only!, page.examined, signal, saved)) ? handled : this.#startOver()
    }
    for (const [i, event] of page.events.entries()) {
      if (signal.aborted || !(await this.#options.lead.keepLead())) return { events: i, caughtUp: false }
      const next = page.events[i + 1]
      const to = next === undefined ? page.examined : event.position
      if (!(await this.#handleOne(event, to, signal))) return this.#startOver()
    }
    return handled
  }

  /** Another runner was faster: go on from where it is. */
  async #startOver(): Promise<StepResult> {
    await this.#load()
    return { events: 0, caughtUp: false }
  }

  /** Handles a batch at once, but for what queues behind something parked. */
  async #handleAll(stored: readonly StoredEvent[], to: number, signal: AbortSignal): Promise<Saved> {
    const events: RecordedEvent[] = []
    const rows: Row[] = []
    const waiting = new Set<string>()
    try {
      for (const each of stored) {
        const event = this.#lifted(each)
        const keys = this.#options.projection.keysOf(event)
        const behind = keys.find((key) => waiting.has(key) || this.#parked.blocks(key))
        if (behind === undefined) events.push(event)
        else {
          rows.push(this.#queued(event, keys, behind))
          for (const key of keys) waiting.add(key)
        }
      }
    } catch (cause) {
      return new HandlerFailed(cause)
    }
    const handle = (tools: HandlerTools) =>
      events.length === 0 ? undefined : this.#options.projection.handler(events, tools)
    return this.#saveWith(handle, { to, rows }, signal)
  }

  /**
   * Handles one event as often as the policy says, then does with it what the policy says.
   *
   * @param failed how it has failed once already
   * @returns false if another runner was faster
   * @throws ProjectionError `PROJECTION_FAILED`
   */
  async #handleOne(stored: StoredEvent, to: number, signal: AbortSignal, failed?: HandlerFailed): Promise<boolean> {
    const { environment } = this.#options
    const { retries, firstMs, maxMs } = this.#options.projection.policy
    const { position } = stored
    for (let tries = 0; ; tries++) {
      const saved = (tries === 0 && failed) || (await this.#handleAll([stored], to, signal))
      if (!(saved instanceof HandlerFailed)) return saved === 'saved'
      // A domain that stops is no failure of the event: it is handled again another time.
      if (signal.aborted) return this.#save({ to: position - 1, rows: [] })
      if (tries >= retries) return this.#giveUp(stored, to, saved.cause)
      await sleep(environment, backOffMs(environment, tries, firstMs, maxMs), signal)
    }
  }

  async #giveUp(stored: StoredEvent, to: number, cause: unknown): Promise<boolean> {
    const { projection, warn, environment } = this.#options
    const { type, position } = stored
    const { giveUp } = projection.policy
    if (giveUp === 'stop') {
      const facts = { projection: projection.name, position, event: type }
      await this.#save({ to: position - 1, rows: [] })
      throw new ProjectionError('PROJECTION_FAILED', facts, cause)
    }
    const parks = giveUp === 'park'
    const rows = parks ? [parkedRow(stored, this.#keysOf(stored), reasonOf(cause), environment.now())] : []
    const saved = await this.#save({ to, rows })
    const message = `The projection ${projection.name} ${parks ? 'parks' : 'skips'} ${type} at ${position}`
    if (saved) warn({ code: parks ? 'PROJECTION_PARKED' : 'PROJECTION_SKIPPED', message, cause })
    return saved
  }

  async #retryParked(signal: AbortSignal): Promise<RetryResult> {
    await this.#reload()
    const before = this.#parked.all
    const blocked = new Set<string>()
    for (const { position, keys } of before) {
      if (signal.aborted || !(await this.#options.lead.keepLead())) break
      const saved = keys.some((key) => blocked.has(key)) ? undefined : await this.#retryOne(position, signal)
      if (saved === 'overtaken') return this.#retryParked(signal)
      if (saved !== 'saved') for (const key of keys) blocked.add(key)
    }
    const parked = this.#parked.all.length
    return { handled: before.length - parked, parked }
  }

  async #retryOne(position: number, signal: AbortSignal): Promise<Saved> {
    const { store, projection } = this.#options
    const [stored] = await readEach(store, [position])
    const rows = [unparkedRow(position)]
    if (stored === undefined) return (await this.#save({ to: this.position, rows })) ? 'saved' : 'overtaken'
    let event: RecordedEvent
    try {
      event = this.#lifted(stored)
    } catch (cause) {
      return new HandlerFailed(cause)
    }
    const isStill = () => areParked(store, projection.name, [position])
    return this.#saveWith((tools) => projection.handler([event], tools), { to: this.position, rows }, signal, isStill)
  }

  // -- handling and saving ----------------------------------------------------------------------------------

  /**
   * Does the handler's work and saves the checkpoint: in one transaction where the store has them.
   *
   * @param isDue asked before the work, in the transaction if there is one
   */
  async #saveWith(
    work: (tools: HandlerTools) => Promise<unknown> | unknown,
    left: Left,
    signal: AbortSignal,
    isDue: () => Promise<boolean> = async () => true,
  ): Promise<Saved> {
    const { store } = this.#options
    try {
      if (store.transact === undefined) {
        if (!(await isDue())) return 'overtaken'
        await this.#call(work, signal, undefined)
        return (await this.#save(left)) ? 'saved' : 'overtaken'
      }
      const won = await this.#checkpoint.advanceBy(async (transaction) => {
        if (!(await isDue())) throw new Overtaken()
        await this.#call(work, signal, transaction)
        return left
      })
      if (won) this.#parked.apply(left.rows)
      return won ? 'saved' : 'overtaken'
    } catch (error) {
      if (error instanceof Overtaken) return 'overtaken'
      if (error instanceof HandlerFailed) return error
      throw error
    }
  }

  async #save({ to, rows }: Left, atOnce: boolean = true): Promise<boolean> {
    if (!(await this.#checkpoint.advance(to, rows, atOnce))) return false
    this.#parked.apply(rows)
    return true
  }

  async #call(
    work: (tools: HandlerTools) => Promise<unknown> | unknown,
    signal: AbortSignal,
    transaction: SqlTransaction | undefined,
  ): Promise<void> {
    const { projection, storeName: store } = this.#options
    const tools: HandlerTools = {
      signal,
      get transaction() {
        if (transaction !== undefined) return transaction
        throw new ProjectionError('TRANSACTION_MISSING', { projection: projection.name, store })
      },
    }
    try {
      await work(tools)
    } catch (cause) {
      if (cause instanceof StoreError && cause.code === 'STORE_UNAVAILABLE') throw cause
      throw new HandlerFailed(cause)
    }
  }

  #lifted(stored: StoredEvent): RecordedEvent {
    const kind = this.#options.projection.kinds.get(stored.type)!
    return { ...stored, data: lift(kind, stored.revision, stored.data), recordedAt: new Date(stored.recordedAt) }
  }

  /** The keys of an event; none if it cannot be read. */
  #keysOf(stored: StoredEvent): readonly string[] {
    try {
      return this.#options.projection.keysOf(this.#lifted(stored))
    } catch {
      return []
    }
  }

  #queued(event: RecordedEvent, keys: readonly string[], behind: string): Row {
    return parkedRow(event, keys, `it queues behind another with the key ${behind}`, this.#options.environment.now())
  }
}
