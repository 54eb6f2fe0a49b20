/**
 * The events that made one row of a projection, and the row after each of them, computed by the projection's own code.
 * Stores have no index of them, so the log is looked through, a part at a time. What is found is kept: the positions,
 * and the row after every hundredth.
 */

import { isDeepStrictEqual } from 'node:util'
import type { AnyProjection, RecordedEvent, StoredEvent } from '../../../src/index.ts'
import { wordsOf } from '../errors.ts'
import { changesBetween, type Inspection, readEventsPage, shown } from '../inspection/index.ts'
import { brief } from './brief.ts'
import { eventView } from './event-view.ts'
import { valueAt } from './state-line.ts'
import type { ChangeView, Json, ReasonsView, RowEndView, StepsView, StepView } from './views.ts'

const keptEvery = 100
const changesMax = 200
const valueMax = 5000
/** How many events one question looks at for further ones. */
const lookedAtMax = 20_000
/** How many hundreds of events are looked through for reasons. */
const reasonBlocksMax = 10

/** An event that has touched the row. */
interface Touch {
  readonly stored: StoredEvent
  readonly event: RecordedEvent
}

type NumberedReason = ReasonsView['reasons'][number] & { readonly number: number }

export class RowLine {
  readonly #inspection: Inspection
  readonly #projection: AnyProjection
  /** Absent for the one state of a projection. */
  readonly #key: string | undefined
  /** The positions of the events. */
  readonly #positions: number[] = []
  /** The rows after 0, 100, 200 ... events. */
  readonly #kept: unknown[] = [undefined]
  #row: unknown
  #looked = 0
  /** Why it cannot go on: the code has failed. */
  #failure: string | undefined
  #extending: Promise<unknown> = Promise.resolve()

  constructor(inspection: Inspection, projection: AnyProjection, key: string | undefined) {
    this.#inspection = inspection
    this.#projection = projection
    this.#key = key
  }

  /** Looks through a further part of the log. */
  async end(signal: AbortSignal): Promise<RowEndView> {
    const head = await this.#inspection.store.head()
    const extending = this.#extending.then(() => this.#extend(head, signal))
    this.#extending = extending.catch(() => {})
    await extending
    const looked = this.#failure === undefined ? this.#looked : head
    return { end: this.#positions.length, looked, head }
  }

  /** The events by their numbers, from 1, in `[from, to)`. */
  async steps(from: number, to: number, signal: AbortSignal): Promise<StepsView> {
    const end = this.#positions.length
    const first = Math.min(from, end + 1)
    const block = Math.floor((first - 1) / keptEvery)
    let row = this.#kept[block]
    const steps: StepView[] = []
    let before: Json = shownRow(row)
    let base = before
    for (const touch of await this.#touches(block * keptEvery + 1, Math.min(to, end + 1), signal)) {
      row = this.#after(row, touch)
      const after = shownRow(row)
      const number = block * keptEvery + 1 + steps.length
      const { changes, more } = changesBetween(before, after, changesMax)
      const event = eventView(this.#inspection, touch.stored, valueMax)
      steps.push({ event, changes, more, ...(more > 0 && { state: after }) })
      before = after
      if (number === first - 1) base = after
    }
    const failure = this.#failure !== undefined && { failure: this.#failure }
    return { from: first, end, base, steps: steps.slice(first - 1 - block * keptEvery), ...failure }
  }

  /** The events that changed the value at a path, from those at or before a number, newest first. */
  async reasons(path: ChangeView['path'], number: number, most: number, signal: AbortSignal): Promise<ReasonsView> {
    const reasons: NumberedReason[] = []
    let last = Math.min(number, this.#positions.length)
    for (let blocks = 0; last > 0 && blocks < reasonBlocksMax && reasons.length < most; blocks++) {
      const block = Math.floor((last - 1) / keptEvery)
      reasons.push(...(await this.#reasonsIn(block, path, last, signal)).reverse())
      last = block * keptEvery
    }
    if (reasons.length > most) last = reasons[most]!.number
    return { reasons: reasons.slice(0, most), ...(last > 0 && { next: last }) }
  }

  async #reasonsIn(block: number, path: ChangeView['path'], last: number, signal: AbortSignal) {
    const found: NumberedReason[] = []
    let row = this.#kept[block]
    let before = valueAt(shownRow(row), path)
    let number = block * keptEvery
    for (const touch of await this.#touches(number + 1, last + 1, signal)) {
      number++
      row = this.#after(row, touch)
      const after = valueAt(shownRow(row), path)
      if (!isDeepStrictEqual(before, after)) {
        found.push({
          number,
          event: eventView(this.#inspection, touch.stored, valueMax),
          ...(before !== undefined && { before: brief(before, valueMax).value }),
          ...(after !== undefined && { after: brief(after, valueMax).value }),
        })
      }
      before = after
    }
    return found
  }

  /** @param head up to where is looked */
  async #extend(head: number, signal: AbortSignal): Promise<void> {
    const types = [...new Set([...this.#projection.folds.values()].map(({ kind }) => kind.type))]
    const { store } = this.#inspection
    for (let left = lookedAtMax; left > 0 && this.#looked < head && this.#failure === undefined; ) {
      const bounds = { types, from: this.#looked + 1, to: head + 1, signal }
      const page = await readEventsPage(store, bounds, left)
      for (const stored of page.events) {
        this.#add(stored)
        if (this.#failure !== undefined) return
      }
      left -= Math.max(1, page.events.length)
      this.#looked = page.next === undefined ? head : page.examined
    }
  }

  #add(stored: StoredEvent): void {
    try {
      const event = this.#inspection.domain!.upcast(stored)
      const isTouched = this.#key === undefined || this.#projection.keysOf(event).includes(this.#key)
      if (!this.#handles(event) || !isTouched) return
      this.#row = this.#after(this.#row, { stored, event })
    } catch (error) {
      this.#failure = `At position ${stored.position}: ${wordsOf(error)}`
      return
    }
    this.#positions.push(stored.position)
    if (this.#positions.length % keptEvery === 0) this.#kept.push(this.#row)
  }

  /** Another aggregate may have an event of the same type. */
  #handles(event: RecordedEvent): boolean {
    return [...this.#projection.folds.keys()].some((family) => family.includes(event))
  }

  #after(row: unknown, { event }: Touch): unknown {
    // A copy, because a fold may change its row in place; the library gives it one too.
    return this.#projection.evolve(copied(row), event)
  }

  /** The events with numbers in `[from, to)`. Each is read alone: there may be many others between them. */
  async #touches(from: number, to: number, signal: AbortSignal): Promise<readonly Touch[]> {
    const { store, domain } = this.#inspection
    const reading = this.#positions.slice(from - 1, Math.max(from - 1, to - 1)).map(async (position) => {
      const { events } = await store.readAll({ from: position, to: position + 1 }, { limit: 1, signal })
      const stored = events[0]!
      return { stored, event: domain!.upcast(stored) }
    })
    return Promise.all(reading)
  }
}

/** A row that is not there is shown as `null`. */
const shownRow = (row: unknown): Json => (row === undefined ? null : shown(row))

/** A row that may be changed. What is neither a record nor a collection cannot be, such as a personal value. */
function copied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copied)
  if (value instanceof Map) return new Map([...value].map(([key, part]) => [copied(key), copied(part)]))
  if (value instanceof Set) return new Set([...value].map(copied))
  if (value instanceof Date) return new Date(value)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copied(part)]))
}
