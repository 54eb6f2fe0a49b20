/**
 * The events of one stream, with the states. They come in pages of a hundred: the state before the first, and what each
 * event changed. The states in between are made here, so moving the slider within a page asks nobody.
 */
import { computed, signal } from '@preact/signals'
import type { Json, StepsView, StepView } from '../src/studio/views.ts'
import { applyChanges } from './apply-changes.ts'

const pageSize = 100
/** How many pages are kept. */
const pagesMax = 50
/** How many events before its end the next page is read. */
const aheadMax = 40

interface Page extends StepsView {
  /** The states after the events that were asked for, by index. */
  readonly states: (Json | undefined)[]
}

export interface Shown {
  readonly sequence: number
  readonly step: StepView | undefined
  /** Absent if no state can be computed. */
  readonly state: Json | undefined
}

/** Where the events of the stream come from. */
export interface StepsSource {
  steps(from: number, count: number, signal: AbortSignal): Promise<StepsView>
  /** The sequence of the last event. */
  end(signal: AbortSignal): Promise<number>
}

export class Steps {
  readonly #source: StepsSource
  readonly #pages = new Map<number, Page>()
  #isReading = false
  #isForward = true
  /** Rises when a page has come. */
  readonly #version = signal(0)
  readonly sequence = signal<number>(-1)
  readonly end = signal(0)
  /** Why something could not be asked. */
  readonly #error = signal<string | undefined>(undefined)
  #ended = new AbortController()

  constructor(source: StepsSource) {
    this.#source = source
  }

  /** What is at the sequence; `undefined` while it is not here yet. */
  readonly shown = computed<Shown | undefined>(() => {
    this.#version.value
    const sequence = this.sequence.value
    if (sequence < 0) return undefined
    if (sequence === 0) {
      const first = this.#pages.get(0)
      return first?.from === 1 ? { sequence, step: undefined, state: first.base } : undefined
    }
    const page = this.#pages.get(pageOf(sequence))
    const index = sequence - (page?.from ?? 0)
    const step = page?.steps[index]
    return page && step && { sequence, step, state: stateAt(page, index) }
  })

  /** Why there are no states here, or why they could not be asked for. */
  readonly failure = computed<string | undefined>(() => {
    this.#version.value
    return this.#error.value ?? this.#pages.get(pageOf(this.sequence.value))?.failure
  })

  /** The events around a sequence that are here, with their numbers. */
  readonly around = computed<readonly { readonly number: number; readonly step: StepView }[]>(() => {
    this.#version.value
    const { from, steps } = this.#pages.get(pageOf(this.sequence.value)) ?? { from: 1, steps: [] }
    return steps.map((step, i) => ({ number: from + i, step }))
  })

  /** Begins at a sequence, or at the end. */
  async open(sequence: number | undefined): Promise<void> {
    try {
      const first = await this.#read(sequence === undefined ? 1 : pageOf(sequence) * pageSize + 1)
      this.moveTo(Math.min(sequence ?? first.end, first.end))
    } catch (error) {
      this.#tell(error)
    }
  }

  moveTo(sequence: number): void {
    const before = this.sequence.peek()
    this.sequence.value = Math.max(0, Math.min(sequence, this.end.value))
    if (this.sequence.value !== before) this.#isForward = this.sequence.value > before
    this.#want()
  }

  /** Asks whether the stream has grown. */
  async lookAtEnd(): Promise<void> {
    const end = await this.#source.end(this.#ended.signal)
    this.end.value = Math.max(end, this.end.value)
  }

  close(): void {
    this.#ended.abort()
  }

  /**
   * Reads the page of the sequence if it is not here. While one is on its way, only the last one that was wanted is
   * read after it.
   */
  #want(): void {
    if (this.#isReading) return
    const sequence = this.shown.peek() === undefined ? this.sequence.peek() : this.#ahead()
    if (sequence === undefined) return
    const first = pageOf(sequence) * pageSize + 1
    const page = this.#pages.get(pageOf(sequence))
    // A page of large states ends before this event, so the next part begins with it.
    const isPart = page?.from === first && page.steps.length < Math.min(pageSize, page.end - first + 1)
    this.#read(isPart ? Math.max(1, sequence) : first)
      .then(() => this.#want())
      .catch((error: unknown) => this.#tell(error))
  }

  /** The next page in the direction in which the slider moves, shortly before it is needed. */
  #ahead(): number | undefined {
    const sequence = this.sequence.peek() + (this.#isForward ? aheadMax : -aheadMax)
    const isThere = sequence < 1 || sequence > this.end.peek() || this.#pages.has(pageOf(sequence))
    return isThere ? undefined : sequence
  }

  async #read(from: number): Promise<StepsView> {
    this.#isReading = true
    try {
      const page = pageOf(from)
      const count = (page + 1) * pageSize - from + 1
      const read = await this.#source.steps(from, count, this.#ended.signal)
      this.#pages.delete(page)
      this.#pages.set(page, { ...read, states: [] })
      if (this.#pages.size > pagesMax) this.#pages.delete(this.#pages.keys().next().value!)
      this.end.value = Math.max(read.end, this.end.value)
      this.#error.value = undefined
      this.#version.value++
      return read
    } finally {
      this.#isReading = false
    }
  }

  #tell(error: unknown): void {
    if (!this.#ended.signal.aborted) this.#error.value = (error as Error).message
  }
}

const pageOf = (sequence: number): number => Math.floor(Math.max(0, sequence - 1) / pageSize)

/** The state after an event of a page, made of the nearest one before it. */
function stateAt({ base, steps, states, failure }: Page, index: number): Json | undefined {
  if (base === undefined) return undefined
  for (let i = states.length; i <= index; i++) {
    const { state, changes, event } = steps[i]!
    // From the event on at which it failed there are no states.
    if (failure?.startsWith(`At sequence ${event.sequence}:`)) break
    states[i] = state ?? applyChanges(i === 0 ? base : states[i - 1], changes)
  }
  return states[index]
}
