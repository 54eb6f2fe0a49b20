/**
 * Which program made what is stored beside a checkpoint. A process that takes over a projection or a reaction leaves a
 * row there. It says which events the program handles, with a fingerprint of the functions that handle them. The next
 * process compares it. This shows a definition that was changed without a new revision, and two services that use one
 * name in one store.
 *
 * A new version of a reaction may handle one more kind of event. While an older program still leads, a program that
 * handles the new kind leaves a row that says since when it waits for these events. When it takes over, it parks the
 * events that were passed over since then, and handles them. If the older program did not even declare the kind, no row
 * is needed: all such events were passed over. So a third row says what the leading program declares.
 */
import { hasCode, ProjectionError } from '../../domain/error.ts'
import type { AnyEventKind } from '../../domain/event.ts'
import type { HandledKinds } from '../../domain/handled-kinds.ts'
import type { JsonObject } from '../../domain/json.ts'
import { digestOf } from '../../kernel/digest.ts'
import type { Breath } from '../../runtime/breath.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { Checkpoint, EventStore, ProjectionStore, Row, StoredEvent } from '../../store/store.ts'
import { ownMark } from '../stored/row-key.ts'
import { fieldsOf, formedRow, halfOf, isText, isWhole, listOf, recordOf } from '../stored/row-value.ts'
import { beganOf } from './checkpoint.ts'

export interface RecognitionOptions<H extends { readonly kind: AnyEventKind }> {
  readonly name: string
  readonly kinds: HandledKinds<H>
  /** The functions that handle the events of one kind, and what else makes the rows, as texts. */
  readonly functionsOf: (handler: H) => readonly unknown[]
  /**
   * What it means if a kind of event is handled now and was not before. `whole`: all its events should have been
   * handled, earlier ones too. `onward`: its events are handled from the time when a program first came that handles
   * them.
   */
  readonly coverage: 'whole' | 'onward'
  readonly store: EventStore & ProjectionStore
  readonly warn: Warn
}

/** Fingerprints of the functions, by the kind of event that they handle. */
type Handled = Readonly<Record<string, number>>

/** The position after which a kind of event is waited for, by kind. */
type Awaited = Readonly<Record<string, number>>

/** The events that programs declare which have led since a position. */
interface Declared {
  readonly from: number
  /** By aggregate. */
  readonly types: Readonly<Record<string, readonly string[]>>
}

const isHandled = recordOf(isWhole)
const isAwaited = recordOf(isWhole)
const isDeclared = fieldsOf({ from: isWhole, types: recordOf(listOf(isText)) })

const key = `${ownMark}handles`
const awaitedKey = `${ownMark}awaits`
const declaredKey = `${ownMark}declares`
const pageSize = 100
/** How often a row is written at one check if the checkpoint moves meanwhile. */
const triesMax = 10

/** Whether the row with a key says what a program handles or waits for. */
export const isRecognition = (stored: string): boolean =>
  stored === key || stored === awaitedKey || stored === declaredKey

/** A kind of event of one aggregate, as one text. */
const named = (aggregate: string, type: string): string => `${aggregate}\n${type}`
const readable = (events: readonly string[]): readonly string[] => events.map((event) => event.replace('\n', ' '))

export class Recognition<H extends { readonly kind: AnyEventKind } = any> {
  readonly #options: RecognitionOptions<H>
  readonly #own: Handled
  /** Where the log ended when this program began, or `undefined` if that is unknown. */
  readonly #begun: Promise<number | undefined>
  /** What this program waits for since it began, and what is stored. */
  #since: Awaited = {}
  #awaited: Awaited = {}
  /** Since when no leader has declared more than this program does. */
  #declaredFrom = 0
  #hasWarned = false

  constructor(options: RecognitionOptions<H>) {
    this.#options = options
    const entries = options.kinds.entries().map(([aggregate, handler]) => {
      const upcasts = handler.kind.revisions.map(({ upcast }) => String(upcast))
      const functions = options.functionsOf(handler).map(String)
      return [named(aggregate, handler.kind.type), digestOf([functions, upcasts])] as const
    })
    this.#own = Object.fromEntries(entries)
    const { coverage, store } = options
    this.#begun = coverage === 'onward' ? store.head().catch(() => undefined) : Promise.resolve(undefined)
  }

  /** The events that this program handles. */
  get kinds(): HandledKinds<H> {
    return this.#options.kinds
  }

  /** The rows of a program that begins after a position, with nothing from a previous program. */
  newRows(position: number): readonly Row[] {
    this.#declaredFrom = position
    return [{ key, value: this.#own as JsonObject }, { key: awaitedKey, value: undefined }, ...this.#declaredRows]
  }

  /** The rows of a program that takes over. */
  get rows(): readonly Row[] {
    const own = [{ key, value: this.#own as JsonObject }, ...this.#declaredRows]
    const events = Object.keys(this.#awaited)
    if (events.length === 0) return own
    const others = events
      .filter((event) => !(event in this.#own))
      .map((event) => [event, this.#awaited[event]!] as const)
    return [...own, { key: awaitedKey, value: others.length === 0 ? undefined : Object.fromEntries(others) }]
  }

  get #declaredRows(): readonly Row[] {
    const { coverage, kinds } = this.#options
    if (coverage === 'whole') return []
    return [{ key: declaredKey, value: { from: this.#declaredFrom, types: kinds.declared } }]
  }

  /** The checkpoint under a name. @throws StoreError `STORE_CORRUPT` if it is gone, and what was beside it is there */
  async checkpointOf(storage: string): Promise<Checkpoint> {
    const { store } = this.#options
    const { checkpoint, values } = await store.loadRowsWithCheckpoint(storage, [key])
    if (checkpoint.term === 0 && values[0] !== undefined) throw halfOf({ store, storage }, 'checkpoint')
    return checkpoint
  }

  /**
   * Checks which program made what is stored under a name, and whether this program can continue it. Returns whether
   * the result stays valid while the same program leads. It does not if that program passes over events that this one
   * handles, which may happen at any time.
   *
   * @param stored the checkpoint beside it
   * @throws ProjectionError `PROJECTION_CHANGED` if this program cannot continue it; StoreError `STORE_CORRUPT`, also
   *   if nothing is beside it
   */
  async check(storage: string, stored: Checkpoint, breath: Breath): Promise<boolean> {
    const { store, coverage, kinds } = this.#options
    const [row, awaited, declares] = await store.loadRows(storage, [key, awaitedKey, declaredKey])
    const place = { store, storage }
    this.#awaited = awaited === undefined ? {} : formedRow<Awaited>(place, awaitedKey, awaited, isAwaited)
    const declared = declares === undefined ? undefined : formedRow<Declared>(place, declaredKey, declares, isDeclared)
    this.#declaredFrom = declared !== undefined && includes(kinds.declared, declared) ? declared.from : stored.position
    if (row === undefined && stored.position > 0) {
      // Another process may have deleted both after the checkpoint was read.
      const { checkpoint, values } = await store.loadRowsWithCheckpoint(storage, [key])
      const isSame = checkpoint.position === stored.position && checkpoint.term === stored.term
      if (isSame && values[0] === undefined) throw halfOf(place, 'rows')
    }
    if (row === undefined) return true
    const handled = formedRow<Handled>(place, key, row, isHandled)
    const missing = Object.keys(handled).filter((event) => !(event in this.#own))
    const gained = Object.keys(this.#own).filter((event) => !(event in handled))
    const added = await this.#missed(gained, stored, breath)
    if (missing.length > 0 || added.length > 0) {
      const facts = { missing: readable(missing), added: readable(added) }
      throw new ProjectionError('PROJECTION_CHANGED', { projection: this.#options.name, ...facts })
    }
    if (Object.keys(handled).some((event) => handled[event] !== this.#own[event])) this.#warnOfFunctions()
    if (coverage === 'whole') return gained.length === 0
    return gained.length === 0 || this.#await(storage, stored, gained, declared)
  }

  /**
   * Whether the functions that made what is stored under a name are the same as this program's, or nothing is stored
   * yet.
   */
  async isOwn(storage: string): Promise<boolean> {
    const { store } = this.#options
    const [row] = await store.loadRows(storage, [key])
    const handled = row === undefined ? undefined : formedRow<Handled>({ store, storage }, key, row, isHandled)
    const events = Object.keys(handled ?? this.#own)
    const isSame = (event: string) => handled === undefined || handled[event] === this.#own[event]
    return events.length === Object.keys(this.#own).length && events.every(isSame)
  }

  /**
   * Events up to a position that another program passed over, although a program that handles them was already waiting.
   */
  async *passedOver(position: number, breath: Breath): AsyncGenerator<readonly StoredEvent[]> {
    const events = Object.keys(this.#awaited).filter((event) => event in this.#own)
    const since = Math.min(...events.map((event) => this.#awaited[event]!))
    for await (const page of this.#pagesOf(events, since + 1, position, breath)) {
      yield page.filter((event) => event.position > this.#awaited[named(event.stream.aggregate, event.type)]!)
    }
  }

  /**
   * Records in a row beside the other runner's checkpoint that events of these kinds are waited for. Returns true if
   * the row already says so, for the same or an earlier position. If the other runner moves the checkpoint each time,
   * the row is written at the next check.
   */
  async #await(
    storage: string,
    stored: Checkpoint,
    gained: readonly string[],
    declared: Declared | undefined,
  ): Promise<boolean> {
    const { position } = stored
    const begun = (await this.#begun) ?? position
    const sinceOf = (event: string) => {
      const known = this.#since[event] ?? Math.min(begun, position)
      return declared !== undefined && isNewFor(declared, event)
        ? Math.min(known, Math.max(declared.from, beganOf(stored)))
        : known
    }
    this.#since = Object.fromEntries(gained.map((event) => [event, sinceOf(event)]))
    const isEarlier = (event: string) => this.#since[event]! < (this.#awaited[event] ?? Number.POSITIVE_INFINITY)
    const earlier = gained.filter(isEarlier)
    if (earlier.length === 0) return true
    this.#awaited = { ...this.#awaited, ...Object.fromEntries(earlier.map((event) => [event, this.#since[event]!])) }
    const rows = [{ key: awaitedKey, value: this.#awaited as JsonObject }]
    const { store } = this.#options
    // At once again: a process that takes over later and does not find the row passes these events over for ever.
    for (let from = stored, tries = 0; from.term === stored.term && tries < triesMax; tries++) {
      try {
        await store.saveStep(storage, { from, to: from, rows })
        return false
      } catch (error) {
        if (!hasCode(error, 'CHECKPOINT_CONFLICT')) throw error
        from = await store.loadCheckpoint(storage)
      }
    }
    return false
  }

  /** Of some kinds of events, those that have events up to a checkpoint which should have been handled. */
  async #missed(events: readonly string[], stored: Checkpoint, breath: Breath): Promise<readonly string[]> {
    if (this.#options.coverage === 'onward') return []
    for await (const page of this.#pagesOf(events, beganOf(stored) + 1, stored.position, breath)) {
      if (page.length > 0) return [...new Set(page.map(({ stream, type }) => named(stream.aggregate, type)))]
    }
    return []
  }

  /** Events of some kinds, from one position to another, both included. */
  async *#pagesOf(
    events: readonly string[],
    first: number,
    last: number,
    breath: Breath,
  ): AsyncGenerator<readonly StoredEvent[]> {
    if (events.length === 0) return
    const { kinds, store } = this.#options
    const wanted = new Set(events)
    const handled = kinds.entries().filter(([aggregate, { kind }]) => wanted.has(named(aggregate, kind.type)))
    const filters = {
      aggregates: [...new Set(handled.map(([aggregate]) => aggregate))],
      types: [...new Set(handled.map(([, { kind }]) => kind.type))],
    }
    for (let from = first; from <= last; ) {
      await breath.pause()
      const page = await store.readAll({ from, to: last + 1 }, { ...filters, limit: pageSize })
      yield page.events.filter(({ stream, type }) => wanted.has(named(stream.aggregate, type)))
      if (page.isLast) return
      from = page.examined + 1
    }
  }

  #warnOfFunctions(): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const { name, coverage, warn } = this.#options
    const what = name.startsWith('reaction ') ? name : `projection ${name}`
    const message =
      coverage === 'whole'
        ? `The stored work of the ${what} was made by functions or with indexes that differ from those of this program`
        : `The last program that ran the ${what} had functions that differ from those of this program`
    warn({ code: 'PROJECTION_DIFFERS', message })
  }
}

/** Whether events of a kind began to exist with a program that declares it, and the leading programs did not. */
function isNewFor({ types }: Declared, event: string): boolean {
  const [aggregate, type] = event.split('\n') as [string, string]
  return Object.hasOwn(types, aggregate) && !types[aggregate]!.includes(type)
}

/** Whether a program declares all that others have declared. */
function includes(own: Declared['types'], { types }: Declared): boolean {
  const declares = (aggregate: string, type: string) => Object.hasOwn(own, aggregate) && own[aggregate]!.includes(type)
  return Object.entries(types).every(([aggregate, there]) => there.every((type) => declares(aggregate, type)))
}
