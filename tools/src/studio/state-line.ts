/**
 * The states along one stream, computed by the domain's own code. The state after every thousandth event is kept once
 * it was computed, so any state of a long stream costs a thousand events at most, except the first time. States are
 * frozen by nobody here: they are what `evolve` returns, and are only shown.
 */

import { isDeepStrictEqual } from 'node:util'
import type { AnyAggregate, StreamId } from '../../../src/index.ts'
import { wordsOf } from '../errors.ts'
import { applied, changesBetween, type Inspection, initialState, readEvents, shown } from '../inspection/index.ts'
import { brief } from './brief.ts'
import { briefEventView } from './event-view.ts'
import type { ChangeView, Json, ReasonsView, StepsView, StepView } from './views.ts'

const keptEvery = 1000
/** How many changes of one event are listed. With more, the whole state is sent. */
const changesMax = 200
/** About how many characters the changes and states of one answer have before it ends. */
const charactersMax = 4_000_000
/** How many characters are shown of a value, where many are listed. */
const valueMax = 5000
/** How many thousands of events are looked through for one question. */
const reasonBlocksMax = 10

export class StateLine {
  readonly #inspection: Inspection
  readonly #aggregate: AnyAggregate
  readonly #stream: StreamId
  /** The states after 0, 1,000, 2,000 ... events. */
  readonly #kept: unknown[] = []
  /** One reading at a time adds to the kept states. */
  #extending: Promise<unknown> = Promise.resolve()

  constructor(inspection: Inspection, aggregate: AnyAggregate, stream: StreamId) {
    this.#inspection = inspection
    this.#aggregate = aggregate
    this.#stream = stream
  }

  /** The events with sequences in `[from, to)`, with what each changed. */
  async steps(from: number, to: number, end: number, signal: AbortSignal): Promise<StepsView> {
    let before: Json
    let state: unknown
    try {
      state = await this.#stateAfter(from - 1, signal)
      before = shown(state)
    } catch (error) {
      signal.throwIfAborted()
      return {
        from,
        end,
        steps: await storedSteps(this.#inspection, this.#stream, from, to, signal),
        failure: said(error),
      }
    }
    const base = before
    const steps: StepView[] = []
    let failure: string | undefined
    let size = JSON.stringify(base).length
    for await (const stored of readEvents(this.#inspection.store, { stream: this.#stream, from, to, signal })) {
      if (size > charactersMax && steps.length > 0) break
      const event = briefEventView(this.#inspection, stored)
      let step: StepView = { event, changes: [], more: 0 }
      if (failure === undefined) {
        try {
          state = this.#applied(state, stored)
          const after = shown(state)
          const { changes, more } = changesBetween(before, after, changesMax)
          step = { event, changes, more, ...(more > 0 && { state: after }) }
          before = after
        } catch (error) {
          failure = `At sequence ${stored.sequence}: ${said(error)}`
        }
      }
      steps.push(step)
      size += JSON.stringify(step).length
    }
    return { from, end, base, steps, ...(failure !== undefined && { failure }) }
  }

  /**
   * The events that changed the value at a path, from those at or before a sequence, newest first. It looks at some
   * thousand events at most.
   */
  async reasons(path: ChangeView['path'], sequence: number, most: number, signal: AbortSignal): Promise<ReasonsView> {
    const reasons: ReasonsView['reasons'][number][] = []
    let last = sequence
    for (let blocks = 0; last > 0 && blocks < reasonBlocksMax && reasons.length < most; blocks++) {
      const from = Math.floor((last - 1) / keptEvery) * keptEvery + 1
      reasons.push(...(await this.#reasonsIn(path, from, last + 1, signal)).reverse())
      last = from - 1
    }
    if (reasons.length > most) last = reasons[most]!.event.sequence
    return { reasons: reasons.slice(0, most), ...(last > 0 && { next: last }) }
  }

  async #reasonsIn(
    path: ChangeView['path'],
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<ReasonsView['reasons'][number][]> {
    const found: ReasonsView['reasons'][number][] = []
    let state = await this.#stateAfter(from - 1, signal)
    let before = valueAt(shown(state), path)
    for await (const stored of readEvents(this.#inspection.store, { stream: this.#stream, from, to, signal })) {
      state = this.#applied(state, stored)
      const after = valueAt(shown(state), path)
      if (!isDeepStrictEqual(before, after)) {
        found.push({
          event: briefEventView(this.#inspection, stored),
          ...side('before', before),
          ...side('after', after),
        })
      }
      before = after
    }
    return found
  }

  #applied(state: unknown, stored: Parameters<NonNullable<Inspection['domain']>['upcast']>[0]): unknown {
    return applied(this.#aggregate, state, this.#inspection.domain!.upcast(stored))
  }

  async #stateAfter(sequence: number, signal: AbortSignal): Promise<unknown> {
    const extending = this.#extending.then(() => this.#extend(Math.floor(sequence / keptEvery), signal))
    this.#extending = extending.catch(() => {})
    await extending
    const kept = Math.floor(sequence / keptEvery)
    return this.#fold(this.#kept[kept], kept * keptEvery + 1, sequence + 1, signal)
  }

  /** Keeps the states up to the one with this index. */
  async #extend(index: number, signal: AbortSignal): Promise<void> {
    if (this.#kept.length === 0) this.#kept.push(initialState(this.#aggregate))
    for (let next = this.#kept.length; next <= index; next++) {
      const from = (next - 1) * keptEvery + 1
      this.#kept[next] = await this.#fold(this.#kept[next - 1], from, from + keptEvery, signal)
    }
  }

  async #fold(known: unknown, from: number, to: number, signal: AbortSignal): Promise<unknown> {
    let state = known
    if (from >= to) return state
    for await (const stored of readEvents(this.#inspection.store, { stream: this.#stream, from, to, signal }))
      state = this.#applied(state, stored)
    return state
  }
}

const side = <Name extends string>(name: Name, value: Json | undefined) =>
  (value === undefined ? {} : { [name]: brief(value, valueMax).value }) as { readonly [_ in Name]?: Json }

/** The value at a path; `undefined` if there is nothing. */
export function valueAt(state: Json, path: ChangeView['path']): Json | undefined {
  let value: Json | undefined = state
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Readonly<Record<string | number, Json>>)[key]
  }
  return value
}

/** Events without states. */
export async function storedSteps(
  inspection: Inspection,
  stream: StreamId,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly StepView[]> {
  const steps: StepView[] = []
  for await (const stored of readEvents(inspection.store, { stream, from, to, signal }))
    steps.push({ event: briefEventView(inspection, stored), changes: [], more: 0 })
  return steps
}

/** What an error says, shortened: the code of the user may say anything. */
const said = (error: unknown): string => brief(wordsOf(error), valueMax).value as string
