/**
 * Whose work it is that is stored beside a checkpoint. Whoever takes a projection or a reaction over leaves a row there that says which
 * events it handles, and a fingerprint of the functions that handle them. The next one compares. So a definition that was changed without
 * a new revision is found out, and so are two services that use one name in one store.
 */
import { ProjectionError } from '../domain/error.ts'
import type { AnyEventKind } from '../domain/event.ts'
import type { HandledKinds } from '../domain/handled-kinds.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Breath } from '../kernel/breath.ts'
import { digestOf } from '../kernel/digest.ts'
import type { Warn } from '../kernel/warning.ts'
import type { EventStore, ProjectionStore, Row } from '../store/store.ts'
import { ownMark } from './row-key.ts'

export interface RecognitionOptions<H extends { readonly kind: AnyEventKind }> {
  readonly name: string
  readonly kinds: HandledKinds<H>
  /** The functions that handle the events of one kind. */
  readonly functionsOf: (handler: H) => readonly unknown[]
  /**
   * What a kind of event means that is handled now and was not before. `whole`: all of its events should have been handled, the earlier
   * ones too. `onward`: it is handled from now on.
   */
  readonly coverage: 'whole' | 'onward'
  readonly store: EventStore & ProjectionStore
  readonly warn: Warn
}

/** Fingerprints of functions, by the kinds of events that they handle. */
type Handled = Readonly<Record<string, number>>

const key = `${ownMark}handles`
const pageSize = 100

/** A kind of event of one aggregate, as one text. */
const named = (aggregate: string, type: string): string => `${aggregate}\n${type}`
const readable = (events: readonly string[]): readonly string[] => events.map((event) => event.replace('\n', ' '))

export class Recognition<H extends { readonly kind: AnyEventKind } = any> {
  readonly #options: RecognitionOptions<H>
  readonly #own: Handled
  #hasWarned = false

  constructor(options: RecognitionOptions<H>) {
    this.#options = options
    const entries = options.kinds.entries().map(([aggregate, handler]) => {
      const lifts = handler.kind.revisions.map(({ lift }) => String(lift))
      const functions = options.functionsOf(handler).map(String)
      return [named(aggregate, handler.kind.type), digestOf([functions, lifts])] as const
    })
    this.#own = Object.fromEntries(entries)
  }

  /** What is left for the next one. */
  get row(): Row {
    return { key, value: this.#own as JsonObject }
  }

  /**
   * Looks whose work is stored under a name, and whether this program can go on with it. Says whether that is certain for as long as the
   * same program is at work: not where it passes over what this one is to handle.
   *
   * @param position up to which it is handled
   * @throws ProjectionError `PROJECTION_CHANGED` if it cannot
   */
  async check(storage: string, position: number, breath: Breath): Promise<boolean> {
    const [row] = await this.#options.store.loadRows(storage, [key])
    if (row === undefined) return true
    const stored = row as Handled
    const missing = Object.keys(stored).filter((event) => !(event in this.#own))
    const gained = Object.keys(this.#own).filter((event) => !(event in stored))
    const added = await this.#passedOver(gained, position, breath)
    if (missing.length > 0 || added.length > 0) {
      const facts = { missing: readable(missing), added: readable(added) }
      throw new ProjectionError('PROJECTION_CHANGED', { projection: this.#options.name, ...facts })
    }
    if (Object.keys(stored).some((event) => stored[event] !== this.#own[event])) this.#warnOfFunctions()
    return gained.length === 0 || this.#options.coverage === 'onward'
  }

  /** Those of some kinds of events that have happened up to a position, and should have been handled. */
  async #passedOver(events: readonly string[], position: number, breath: Breath): Promise<readonly string[]> {
    const { coverage, kinds, store } = this.#options
    if (coverage === 'onward' || events.length === 0) return []
    const gained = new Set(events)
    const handled = kinds.entries().filter(([aggregate, { kind }]) => gained.has(named(aggregate, kind.type)))
    const filters = {
      aggregates: [...new Set(handled.map(([aggregate]) => aggregate))],
      types: [...new Set(handled.map(([, { kind }]) => kind.type))],
    }
    for (let from = 1; from <= position; ) {
      await breath.pause()
      const page = await store.readAll({ from, to: position + 1 }, { ...filters, limit: pageSize })
      const found = page.events
        .map(({ stream, type }) => named(stream.aggregate, type))
        .filter((event) => gained.has(event))
      if (found.length > 0) return [...new Set(found)]
      if (page.isLast) break
      from = page.examined + 1
    }
    return []
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
