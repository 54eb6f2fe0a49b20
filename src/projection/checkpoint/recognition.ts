/**
 * Whose work it is that is stored beside a checkpoint. Whoever takes a projection or a reaction over leaves a row there
 * that says which events it handles, and a fingerprint of the functions that handle them. The next one compares. So a
 * definition that was changed without a new revision is found out, and so are two services that use one name in one
 * store.
 *
 * A reaction may handle one more kind of event from now on. While a program still leads that does not handle it, one
 * that does leaves a row that says since when: what was passed over from there on is put aside when it takes over, and
 * then handled.
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
import { beganOf } from './checkpoint.ts'

export interface RecognitionOptions<H extends { readonly kind: AnyEventKind }> {
  readonly name: string
  readonly kinds: HandledKinds<H>
  /** The functions that handle the events of one kind. */
  readonly functionsOf: (handler: H) => readonly unknown[]
  /**
   * What a kind of event means that is handled now and was not before. `whole`: all of its events should have been
   * handled, the earlier ones too. `onward`: it is handled from the time on at which a program first came that handles
   * it.
   */
  readonly coverage: 'whole' | 'onward'
  readonly store: EventStore & ProjectionStore
  readonly warn: Warn
}

/** Fingerprints of functions, by the kinds of events that they handle. */
type Handled = Readonly<Record<string, number>>

/** Behind which position events are waited for, by their kinds. */
type Awaited = Readonly<Record<string, number>>

const key = `${ownMark}handles`
const awaitedKey = `${ownMark}awaits`
const pageSize = 100

/** Whether a row says what a program handles, or waits for. */
export const isRecognition = (stored: string): boolean => stored === key || stored === awaitedKey

/** A kind of event of one aggregate, as one text. */
const named = (aggregate: string, type: string): string => `${aggregate}\n${type}`
const readable = (events: readonly string[]): readonly string[] => events.map((event) => event.replace('\n', ' '))

export class Recognition<H extends { readonly kind: AnyEventKind } = any> {
  readonly #options: RecognitionOptions<H>
  readonly #own: Handled
  /** Where the log ended when this program began; nothing if that could not be told. */
  readonly #begun: Promise<number | undefined>
  /** By this program's own knowledge, and as it is stored. */
  #since: Awaited = {}
  #awaited: Awaited = {}
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

  /** What a program leaves that begins, with nothing of the one before. */
  get newRows(): readonly Row[] {
    return [
      { key, value: this.#own as JsonObject },
      { key: awaitedKey, value: undefined },
    ]
  }

  /** What a program leaves that takes over. */
  get rows(): readonly Row[] {
    const own = { key, value: this.#own as JsonObject }
    const events = Object.keys(this.#awaited)
    if (events.length === 0) return [own]
    const others = events
      .filter((event) => !(event in this.#own))
      .map((event) => [event, this.#awaited[event]!] as const)
    return [own, { key: awaitedKey, value: others.length === 0 ? undefined : Object.fromEntries(others) }]
  }

  /**
   * Looks whose work is stored under a name, and whether this program can go on with it. Says whether that is certain
   * for as long as the same program is at work: not where it passes over what this one is to handle, which may happen
   * at any time.
   *
   * @param stored the checkpoint beside it
   * @throws ProjectionError `PROJECTION_CHANGED` if it cannot
   */
  async check(storage: string, stored: Checkpoint, breath: Breath): Promise<boolean> {
    const [row, awaited = {}] = await this.#options.store.loadRows(storage, [key, awaitedKey])
    this.#awaited = awaited as Awaited
    if (row === undefined) return true
    const handled = row as Handled
    const missing = Object.keys(handled).filter((event) => !(event in this.#own))
    const gained = Object.keys(this.#own).filter((event) => !(event in handled))
    const added = await this.#missed(gained, stored, breath)
    if (missing.length > 0 || added.length > 0) {
      const facts = { missing: readable(missing), added: readable(added) }
      throw new ProjectionError('PROJECTION_CHANGED', { projection: this.#options.name, ...facts })
    }
    if (Object.keys(handled).some((event) => handled[event] !== this.#own[event])) this.#warnOfFunctions()
    return gained.length === 0 || (this.#options.coverage === 'onward' && this.#await(storage, stored, gained))
  }

  /**
   * Whether what is stored under a name was made by this very program, as far as its functions tell; or by nobody yet.
   */
  async isOwn(storage: string): Promise<boolean> {
    const [row] = await this.#options.store.loadRows(storage, [key])
    const handled = row as Handled | undefined
    const events = Object.keys(handled ?? this.#own)
    const isSame = (event: string) => handled === undefined || handled[event] === this.#own[event]
    return events.length === Object.keys(this.#own).length && events.every(isSame)
  }

  /**
   * Events up to a position that this program handles, that came when there was such a program, and that another one
   * has passed over.
   */
  async *passedOver(position: number, breath: Breath): AsyncGenerator<readonly StoredEvent[]> {
    const events = Object.keys(this.#awaited).filter((event) => event in this.#own)
    const since = Math.min(...events.map((event) => this.#awaited[event]!))
    for await (const page of this.#pagesOf(events, since + 1, position, breath)) {
      yield page.filter((event) => event.position > this.#awaited[named(event.stream.aggregate, event.type)]!)
    }
  }

  /**
   * From now on the events of these kinds are waited for, if nobody has waited for them earlier: a row beside the
   * checkpoint says so, which is another runner's. Says whether it is there. If the checkpoint has moved meanwhile, the
   * row is left at the next look.
   */
  async #await(storage: string, stored: Checkpoint, gained: readonly string[]): Promise<boolean> {
    const { position } = stored
    const begun = (await this.#begun) ?? position
    this.#since = Object.fromEntries(gained.map((event) => [event, this.#since[event] ?? Math.min(begun, position)]))
    const isEarlier = (event: string) => this.#since[event]! < (this.#awaited[event] ?? Number.POSITIVE_INFINITY)
    const earlier = gained.filter(isEarlier)
    if (earlier.length === 0) return true
    this.#awaited = { ...this.#awaited, ...Object.fromEntries(earlier.map((event) => [event, this.#since[event]!])) }
    const rows = [{ key: awaitedKey, value: this.#awaited as JsonObject }]
    try {
      await this.#options.store.saveStep(storage, { from: stored, to: stored, rows })
    } catch (error) {
      if (!hasCode(error, 'CHECKPOINT_CONFLICT')) throw error
    }
    return false
  }

  /** Those of some kinds of events that have happened up to a checkpoint, and should have been handled. */
  async #missed(events: readonly string[], stored: Checkpoint, breath: Breath): Promise<readonly string[]> {
    if (this.#options.coverage === 'onward') return []
    for await (const page of this.#pagesOf(events, beganOf(stored) + 1, stored.position, breath)) {
      if (page.length > 0) return [...new Set(page.map(({ stream, type }) => named(stream.aggregate, type)))]
    }
    return []
  }

  /** Events of some kinds, from one position up to another. */
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
        ? `What the ${what} has was made by other functions than this program's`
        : `The ${what} was run by a program with other functions than this one's`
    warn({ code: 'PROJECTION_DIFFERS', message })
  }
}
