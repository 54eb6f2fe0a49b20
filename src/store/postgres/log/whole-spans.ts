/**
 * The parts of the log in which no event is missing, as far as this process has seen. What was found once is not
 * counted again: the log does not change, so each position is counted once at the most, however often reads by types or
 * tags are led over it.
 */
import type { Range } from '../../range.ts'

/** How many parts are remembered; of more, those are forgotten that were found first. */
const spansMax = 100

export class WholeSpans {
  /** Apart from each other; the last that was found at the end. */
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

  /**
   * The first part of a range that is not known to be whole, and no longer than `count`; undefined if there is none.
   */
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
