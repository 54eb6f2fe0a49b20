/**
 * A race of writers on one log, made so that the log itself shows whether anything went wrong: each event says which
 * one of its commit it is, what its writer expected, and which commit of the same writer it was decided on. Two thirds
 * of the commits expect an exact sequence of a stream that everybody writes to, and are tried again, with the sequence
 * that the conflict named, until they are stored.
 */
import assert from 'node:assert/strict'
import { type Commit, commit, type Store, type StreamId } from '../../../src/index.ts'
import type { Random } from '../../../src/testing/random.ts'

/** The data of an event of the race. */
export interface RaceData {
  readonly writer: string
  /** Place in the commit, from 0. */
  readonly index: number
  /** How many events the commit has. */
  readonly of: number
  /** The sequence that the commit expected; -1 for any. */
  readonly expected: number
  /** The id of the commit that stands right before this one in the stream, if this one was decided on it. */
  readonly behind: string
}

/** What a writer has done. */
export interface Written {
  /** How many events it has stored in each stream, by the stream's id. */
  readonly eventsOf: Record<string, number>
  conflicts: number
}

export const streams: readonly StreamId[] = Array.from({ length: 12 }, (_, i) => ({
  aggregate: i % 3 === 0 ? 'third' : 'other',
  id: `stream ${i}`,
}))
export const writerNames: readonly string[] = Array.from({ length: 8 }, (_, i) => `writer ${i}`)

const eventsOfCommitMaxDefault = 5

/** Fills a store quickly before the race, with events that look as if all writers had made them. */
export async function prefill(
  store: Store,
  events: number,
  eventsOfCommit: number = eventsOfCommitMaxDefault,
): Promise<void> {
  const commitsAtOnce = 500
  for (let commits: Commit[] = [], left = events, n = 0; left > 0; ) {
    const of = Math.min(eventsOfCommit, left)
    const writer = writerNames[n % writerNames.length]!
    const data = { writer, of, expected: -1, behind: '' }
    const some = Array.from({ length: of }, (_, index) => {
      return { type: n % 3 === 0 ? 'Noted' : 'Counted', data: { ...data, index }, tags: [writer] }
    })
    const stream = streams[n % streams.length]!
    commits.push(commit({ stream, expected: 'any', id: `before the race/${n++}`, recordedAt: 0, events: some }))
    left -= of
    if (commits.length < commitsAtOnce && left > 0) continue
    await store.append(commits)
    commits = []
  }
}

/** One thing to append: a commit, or two to one stream of which the second is decided on the first. */
interface Step {
  readonly stream: StreamId
  readonly ids: readonly string[]
  readonly counts: readonly number[]
  readonly exact: boolean
}

export class RaceWriter {
  readonly #store: Store
  readonly #name: string
  readonly #random: Random
  readonly #eventsOfCommitMax: number
  /** How far streams were when this writer last heard of them. */
  readonly #known = new Map<string, number>()
  readonly #written: Written = { eventsOf: {}, conflicts: 0 }
  #left: number
  #steps = 0

  constructor(
    store: Store,
    name: string,
    events: number,
    random: Random,
    eventsOfCommitMax: number = eventsOfCommitMaxDefault,
  ) {
    this.#store = store
    this.#name = name
    this.#left = events
    this.#random = random
    this.#eventsOfCommitMax = eventsOfCommitMax
  }

  /**
   * Appends until all events are stored.
   *
   * @param rest is waited for in between
   */
  async run(rest: () => Promise<unknown> | undefined = () => undefined): Promise<Written> {
    while (this.#left > 0) {
      let steps = this.#newSteps()
      while (steps.length > 0) steps = await this.#append(steps)
      await rest()
    }
    return this.#written
  }

  /** A few steps, each on a stream of its own. */
  #newSteps(): readonly Step[] {
    const chosen = new Set(Array.from({ length: this.#random.int(1, 3) }, () => this.#random.pick(streams)))
    return [...chosen].flatMap((stream) => {
      const counts: number[] = []
      const exact = this.#random.chance(0.66)
      for (let commits = exact ? this.#random.int(1, 2) : 1; commits > 0 && this.#left > 0; commits--) {
        const count = Math.min(this.#random.int(1, this.#eventsOfCommitMax), this.#left)
        this.#left -= count
        counts.push(count)
      }
      const ids = counts.map((_, i) => `${this.#name}/${this.#steps}/${i}`)
      this.#steps++
      return counts.length === 0 ? [] : [{ stream, ids, counts, exact }]
    })
  }

  /** Appends steps as one batch, and returns those that were beaten to it. */
  async #append(steps: readonly Step[]): Promise<readonly Step[]> {
    const results = await this.#store.append(steps.flatMap((step) => this.#commitsOf(step)))
    let next = 0
    return steps.filter(({ stream, ids, counts }) => {
      const outcomes = results.slice(next, next + ids.length)
      next += ids.length
      const stored = outcomes.filter(({ status }) => status === 'stored').length
      assert.ok(stored === 0 || stored === ids.length, `of ${ids.join(' and ')} ${stored} are stored`)
      this.#known.set(stream.id, outcomes.at(-1)!.sequence)
      if (stored === 0) {
        assert.ok(
          outcomes.every(({ status }) => status === 'conflict'),
          'a commit that is not stored is in conflict',
        )
        this.#written.conflicts++
        return true
      }
      const { eventsOf } = this.#written
      eventsOf[stream.id] = (eventsOf[stream.id] ?? 0) + counts.reduce((sum, count) => sum + count, 0)
      return false
    })
  }

  #commitsOf({ stream, ids, counts, exact }: Step): readonly Commit[] {
    let expected = this.#known.get(stream.id) ?? 0
    return ids.map((id, i) => {
      const base = { writer: this.#name, of: counts[i]!, expected: exact ? expected : -1, behind: ids[i - 1] ?? '' }
      const tags = [this.#name]
      const type = exact ? 'Counted' : 'Noted'
      const events = Array.from({ length: counts[i]! }, (_, index) => ({ type, data: { ...base, index }, tags }))
      const made = commit({ stream, expected: exact ? expected : 'any', id, recordedAt: 0, events })
      expected += counts[i]!
      return made
    })
  }
}
