/**
 * The events of one stream, with the states. They come in pages of a hundred: the state before the first, and what each
 * event changed. The states in between are made here, so moving the slider within a page asks nobody.
 */
import { computed, signal } from '@preact/signals'
import type { Json, StepsView, StepView } from '../src/studio/views.ts'
import { api, type Stream } from './api.ts'
import { applyChanges } from './apply-changes.ts'

const pageSize = 100
/** How many pages are kept. */
const pagesMax = 50

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

export class Steps {
  readonly #stream: Stream
  readonly #pages = new Map<number, Page>()
  readonly #asked = new Set<number>()
  /** Rises when a page has come. */
  readonly #version = signal(0)
  readonly sequence = signal<number>(-1)
  readonly end = signal(0)
  readonly failure = signal<string | undefined>(undefined)
  #ended = new AbortController()

  constructor(stream: Stream) {
    this.#stream = stream
  }

  /** What is at the sequence; `undefined` while it is not here yet. */
  readonly shown = computed<Shown | undefined>(() => {
    this.#version.value
    const sequence = this.sequence.value
    if (sequence < 0) return undefined
    if (sequence === 0) {
      const first = this.#pages.get(0)
      return first && { sequence, step: undefined, state: first.base }
    }
    const page = this.#pages.get(Math.floor((sequence - 1) / pageSize))
    const index = (sequence - 1) % pageSize
    const step = page?.steps[index]
    return page && step && { sequence, step, state: stateAt(page, index) }
  })

  /** The events around a sequence that are here. */
  readonly around = computed<readonly StepView[]>(() => {
    this.#version.value
    const sequence = Math.max(1, this.sequence.value)
    return this.#pages.get(Math.floor((sequence - 1) / pageSize))?.steps ?? []
  })

  /** Begins at a sequence, or at the end. */
  async open(sequence: number | undefined): Promise<void> {
    try {
      const first = await this.#read(sequence === undefined ? 0 : pageOf(sequence))
      this.moveTo(Math.min(sequence ?? first.end, first.end))
    } catch (error) {
      if (!this.#ended.signal.aborted) this.failure.value = (error as Error).message
    }
  }

  moveTo(sequence: number): void {
    this.sequence.value = Math.max(0, Math.min(sequence, this.end.value))
    this.#want(pageOf(this.sequence.value))
  }

  close(): void {
    this.#ended.abort()
  }

  /** Reads a page if it is not here. While one is on its way, only the last one that was wanted is read after it. */
  #want(page: number): void {
    if (this.#pages.has(page) || this.#asked.size > 0) return
    this.#read(page)
      .then(() => this.#want(pageOf(this.sequence.value)))
      .catch((error: Error) => {
        if (!this.#ended.signal.aborted) this.failure.value = error.message
      })
  }

  async #read(page: number): Promise<StepsView> {
    this.#asked.add(page)
    try {
      const read = await api.steps(this.#stream, page * pageSize + 1, this.#ended.signal)
      this.#pages.set(page, { ...read, states: [] })
      if (this.#pages.size > pagesMax) this.#pages.delete(this.#pages.keys().next().value!)
      this.end.value = read.end
      this.failure.value = read.failure
      this.#version.value++
      return read
    } finally {
      this.#asked.delete(page)
    }
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
