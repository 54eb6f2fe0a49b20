/**
 * What a reaction has still to do, and why it is not done: parked events and those behind them, then the events after
 * the checkpoint, then scheduled commands. This is what is stored, and what this process knows besides if it leads.
 * Data of events and commands, and messages of errors, are left out.
 */
import { MnemeError, ProjectionError } from '../../domain/error.ts'
import { checkId } from '../../domain/id.ts'
import { checkCursor, checkKeys, checkOption } from '../../domain/options.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { EventStore, ProjectionStore, StoredEvent } from '../../store/store.ts'
import { readEach } from '../log/read-each.ts'
import type { Runner } from '../running/runner.ts'
import type { RunnerView } from '../running/status.ts'
import { type ListedParkedEvent, parkedPage } from '../stored/parked-events.ts'
import { positionOfTimer, type Timer, timerIn, timerPrefix } from '../stored/timer-row.ts'
import type { UnfinishedEvent } from './event-flow.ts'
import { type Handling, keysOfEvent } from './event-keys.ts'
import { storedSteps } from './reaction-rows.ts'
import type { ReactionSteps } from './reaction-steps.ts'

/** Which part of the list to read. */
export interface WaitingOptions {
  /** Only what belongs to a key: that of a state, or a stream. */
  readonly key?: string | StreamId
  /** `next` of the page before. */
  readonly after?: string
  /** The most items of the page: 50 by default, at most 200. */
  readonly limit?: number
}

/** The address of a command. */
type Address = Pick<PlainCommand, 'aggregate' | 'id' | 'name'>

interface WaitingEvent {
  readonly position: number
  readonly type: string
  readonly stream: StreamId
  /** Events with a common key are handled one after the other: the key of a state, or a stream as JSON. */
  readonly keys: readonly string[]
  /** The durable steps of its handler whose results are stored, by name. They are not done again. */
  readonly stepsDone: readonly string[]
}

/** The last failure: a code of this library, or else the name of the error. A message could have data. */
interface LastFailure {
  readonly error: string
}

/**
 * Something that waits.
 *
 * - `running`: its handler is at work in this process, perhaps with steps that are under way.
 * - `retrying`: it has failed `attempts` times, and is tried again at `nextAt`.
 * - `queued`: it waits for the event at the position `behind`, which has a common key.
 * - `failed`: the reaction has stopped before it.
 * - `unhandled`: it is after the checkpoint, and this process knows nothing that holds it. If another process leads, it
 *   may be handled there.
 * - `parked`: it was put aside after its last attempt. With a `command`, only that command of it was.
 * - `behind parked`: it queues behind a parked event with a common key.
 * - `passed over`: a program that does not handle it has passed it over; it is handled next.
 * - `scheduled`: a command that is sent at `dueAt`; `attempts` have failed.
 */
export type Waiting = WaitingEvent &
  (
    | { readonly why: 'running'; readonly stepsUnderWay: readonly string[] }
    | ({ readonly why: 'retrying'; readonly attempts: number; readonly nextAt: Date } & LastFailure)
    | { readonly why: 'queued'; readonly behind: number }
    | ({ readonly why: 'failed' } & LastFailure)
    | { readonly why: 'unhandled' | 'passed over' }
    | ({ readonly why: 'parked'; readonly parkedAt: Date; readonly command?: Address } & LastFailure)
    | { readonly why: 'behind parked'; readonly parkedAt: Date }
    | ({
        readonly why: 'scheduled'
        readonly command: Address
        readonly dueAt: Date
        /** The key that its handler has given it. */
        readonly timerKey?: string
        readonly attempts: number
      } & Partial<LastFailure>)
  )

/** A page. It may have fewer items than its limit, even none, and not be the last. */
export interface WaitingPage {
  /** Who leads, as far as this process knows: itself, another process until some time, or nobody. */
  readonly leader: 'this process' | { readonly until: Date } | undefined
  readonly waiting: readonly Waiting[]
  /** Where the next page begins. Absent if nothing is left. */
  readonly next?: string
}

export interface WaitingListOptions extends Handling {
  /** The name under which the reaction is stored. */
  readonly name: string
  readonly store: EventStore & ProjectionStore
  readonly runner: Runner
  /** The events that are in progress here. */
  readonly flow: () => ReactionSteps['flow'] | undefined
  readonly environment: Environment
}

const limitDefault = 50
const limitMax = 200
/** The number of rows or events that are looked at for a page. */
const lookedAtMax = 1000
const placeForm = /^(parked \d{16}( timer \d{16} \d{16}:\d{6})?|event( \d{1,16})?|timer( \d{16} \d{16}:\d{6})?)$/

/** A part of the list: its items, and where it goes on. */
interface Part {
  readonly found: readonly Waiting[]
  readonly next: string | undefined
}

export class WaitingList {
  readonly #options: WaitingListOptions

  constructor(options: WaitingListOptions) {
    this.#options = options
  }

  /** @throws DefinitionError `OPTION_INVALID`; InputError `ID_INVALID`; StoreError */
  async page(options: WaitingOptions): Promise<WaitingPage> {
    const { after, limit = limitDefault } = checked(options)
    const view = await this.#options.runner.look()
    const isWanted = filterOf(options.key)
    const waiting: Waiting[] = []
    let [at, lookedAt]: [string | undefined, number] = [after ?? 'parked', 0]
    while (at !== undefined && waiting.length < limit && lookedAt < lookedAtMax) {
      const count = Math.min(limit - waiting.length, lookedAtMax - lookedAt)
      const { found, next } = await this.#part(at, count, view)
      for (const one of found) if (isWanted(one)) waiting.push(one)
      lookedAt += count
      at = next
    }
    const withSteps = await Promise.all(waiting.map((one) => this.#withSteps(one)))
    return { leader: this.#leader(view), waiting: withSteps, ...(at !== undefined && { next: at }) }
  }

  #leader({ leads, othersUntil }: RunnerView): WaitingPage['leader'] {
    if (leads) return 'this process'
    const isOther = othersUntil !== undefined && othersUntil > this.#options.environment.now()
    return isOther ? { until: new Date(othersUntil) } : undefined
  }

  async #part(at: string, limit: number, view: RunnerView): Promise<Part> {
    if (at.startsWith('parked')) return this.#parked(at === 'parked' ? undefined : at, limit, view)
    if (at.startsWith('event')) return this.#events(at === 'event' ? 0 : Number(at.slice('event '.length)), limit, view)
    return this.#timers(at === 'timer' ? timerPrefix : at, limit, view)
  }

  async #parked(after: string | undefined, limit: number, view: RunnerView): Promise<Part> {
    const { store, name } = this.#options
    const { events, next } = await parkedPage(store, name, { after, limit })
    // Parked commands and events that were passed over are stored without keys.
    const positions = events.filter(({ keys }) => keys.length === 0).map(({ position }) => position)
    const keys = await this.#keysAt(positions, view)
    const found = events.map((parked) => parkedItem(parked, keys.get(parked.position) ?? parked.keys))
    return { found, next: next ?? 'event' }
  }

  async #events(after: number, limit: number, view: RunnerView): Promise<Part> {
    const { store, kinds, reaction } = this.#options
    // Another process may have handled what is in progress here.
    const flow = view.leads ? this.#options.flow() : undefined
    const fromMs = reaction.beginning instanceof Date ? reaction.beginning.getTime() : Number.NEGATIVE_INFINITY
    const range = { from: Math.max(after, view.here.position) + 1, to: Number.POSITIVE_INFINITY }
    const page = await store.readAll(range, { ...kinds.filters, limit })
    const unfinished = new Map(flow?.unfinished.map((one) => [one.position, one]))
    const events = kinds
      .among(page.events)
      .filter(({ recordedAt, position }) => recordedAt >= fromMs && flow?.isDone(position) !== true)
    const found = events.map((event) => ({
      ...this.#eventOf(event),
      ...whyOf(event.position, view, unfinished.get(event.position)),
    }))
    return { found, next: page.isLast ? 'timer' : `event ${page.examined}` }
  }

  async #timers(after: string, limit: number, { here, tries, leads }: RunnerView): Promise<Part> {
    const { store, name } = this.#options
    const { rows, next } = await store.listRows(name, { prefix: timerPrefix, after, limit })
    const positions = [...new Set(rows.map(({ key }) => positionOfTimer(key)))].sort((a, b) => a - b)
    const events = new Map((await readEach(store, positions, here)).map((event) => [event.position, event]))
    const found = rows.map((row): Waiting => {
      const { key } = row
      const timer = timerIn({ store, storage: name }, row)
      const failed = leads ? tries.ofCommand(key) : undefined
      return {
        ...this.#eventOf(events.get(positionOfTimer(key))!),
        why: 'scheduled',
        command: addressOf(timer),
        dueAt: new Date(timer.dueAt),
        ...(timer.userKey !== undefined && { timerKey: timer.userKey }),
        attempts: timer.tries ?? 0,
        ...(failed !== undefined && { error: codeOf(failed.error) }),
      }
    })
    return { found, next }
  }

  #eventOf(event: StoredEvent): WaitingEvent {
    const { position, type, stream } = event
    return { position, type, stream, keys: keysOfEvent(this.#options, event).keys.holds, stepsDone: [] }
  }

  /** The keys of the events at some positions. */
  async #keysAt(positions: readonly number[], { here }: RunnerView): Promise<ReadonlyMap<number, readonly string[]>> {
    const ascending = [...new Set(positions)].sort((a, b) => a - b)
    const events = await readEach(this.#options.store, ascending, here)
    return new Map(events.map((event) => [event.position, keysOfEvent(this.#options, event).keys.holds]))
  }

  /** Steps are stored until their event is handled, also while it is parked. */
  async #withSteps(one: Waiting): Promise<Waiting> {
    const { store, name } = this.#options
    return one.why === 'scheduled' ? one : { ...one, stepsDone: await storedSteps(store, name, one.position) }
  }
}

type Why = Waiting extends infer One ? (One extends Waiting ? Omit<One, keyof WaitingEvent> : never) : never

/** Why an event after the checkpoint is not handled. */
function whyOf(position: number, { tries, failure, leads }: RunnerView, unfinished: UnfinishedEvent | undefined): Why {
  if (failure instanceof ProjectionError && (failure.facts as { position?: number }).position === position) {
    return { why: 'failed', error: codeOf(failure.cause) }
  }
  const retrying = leads ? tries.ofEvent(position) : undefined
  if (retrying !== undefined) {
    const { attempts, nextAt, error } = retrying
    return { why: 'retrying', attempts, nextAt, error: codeOf(error) }
  }
  if (unfinished === undefined) return { why: 'unhandled' }
  const { isRunning, behind, stepsUnderWay } = unfinished
  if (isRunning) return { why: 'running', stepsUnderWay }
  return behind === undefined ? { why: 'unhandled' } : { why: 'queued', behind }
}

function parkedItem(parked: ListedParkedEvent, keys: readonly string[]): Waiting {
  const { position, type, stream, reason, parkedAt, isPassedOver, timer, isBehind } = parked
  const event = { position, type, stream, keys, stepsDone: [] }
  if (isPassedOver === true) return { ...event, why: 'passed over' }
  if (isBehind) return { ...event, why: 'behind parked', parkedAt }
  const command = timer === undefined ? {} : { command: addressOf(timer) }
  return { ...event, why: 'parked', parkedAt, error: nameIn(reason), ...command }
}

/** The code of an error of this library, with which its message ends; else the name with which a reason begins. */
const nameIn = (reason: string): string =>
  /\[([A-Z_]+), docs\/errors\.md#\w+\]$/.exec(reason)?.[1] ?? /^[\w$]+(?=: )/.exec(reason)?.[0] ?? 'unknown'

function codeOf(error: unknown): string {
  if (error instanceof MnemeError) return error.code
  return error instanceof Error ? error.name : 'unknown'
}

function addressOf({ command }: Timer): Address {
  const { aggregate, id, name } = command as unknown as PlainCommand
  return { aggregate, id, name }
}

function filterOf(key: WaitingOptions['key']): (one: WaitingEvent) => boolean {
  if (key === undefined) return () => true
  if (typeof key === 'string') return ({ keys }) => keys.includes(key)
  return ({ stream }) => stream.aggregate === key.aggregate && stream.id === key.id
}

function checked(options: WaitingOptions): WaitingOptions {
  checkKeys('waiting(name, options)', options, ['key', 'after', 'limit'])
  const { key, after, limit } = options
  const isKey = (found: unknown) => typeof found === 'string' || (typeof found === 'object' && found !== null)
  checkOption('key', key, isKey, 'the key of a state, or a stream: { aggregate, id }')
  if (typeof key === 'object') {
    checkId('the name of an aggregate', key.aggregate)
    checkId('the id of an aggregate', key.id)
  }
  checkCursor(after, (cursor) => placeForm.test(cursor))
  const isLimit = (found: unknown) =>
    Number.isSafeInteger(found) && (found as number) >= 1 && (found as number) <= limitMax
  checkOption('limit', limit, isLimit, `a whole number from 1 to ${limitMax}`)
  return options
}
