/**
 * The parts of the log in which no event is missing, as far as this process has seen. The log does not change, so each
 * position is counted at most once, however often reads by types or tags pass over it.
 */
import type { Range } from '../../range.ts'

/** The number of parts that are kept. If there are more, the oldest are dropped. */
const spansMax = 100

export class WholeSpans {
  /** Parts that do not touch each other, the newest at the end. */
  #spans: readonly Range[] = []

  add({ from, to }: Range): void {
    if (from >= to) return
    const touching = this.#spans.filter((span) => span.from <= to && span.to >= from)
    const others = this.#spans.filter((span) => !touching.includes(span))
    const whole = {
      from: Math.min(from, ...touching.map((span) => span.from)),
      to: Math.max(to, ...touching.map((span) => span.to)),
    }
    this.#spans = [...others, whole].slice(-spansMax)
  }

  /** The first part of a range that is not known to be whole, at most `count` long, or `undefined` if there is none. */
  unknown({ from, to }: Range, count: number): Range | undefined {
    let start = from
    for (let known = this.#at(start); known !== undefined; known = this.#at(start)) start = known.to
    if (start >= to) return undefined
    const next = this.#spans.filter((span) => span.from > start).map((span) => span.from)
    return { from: start, to: Math.min(to, start + count, ...next) }
  }

  #at(position: number): Range | undefined {
    return this.#spans.find((span) => span.from <= position && span.to > position)
  }
}
