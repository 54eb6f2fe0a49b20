/**
 * A batch of commits in the form that the function `append_batch` takes, and its answer as results. What can be said before
 * the streams are locked is said here: which streams, kinds and repeated ids there are, what the batch needs of each stream if
 * every commit of it is to be stored, and where each commit will be then.
 */
import type { Commit, Expected } from '../commit.ts'
import type { AppendResult } from '../store.ts'
import { expectations, needs, outcome } from './append-function.ts'
import { arrayText, bigints, booleans, integers, numbersOf, texts } from './binary-arrays.ts'
import type { Parameter, Row } from './database.ts'

/** Commits that one caller has appended by one call. */
export type Group = readonly Commit[]

/** A stream as the batch sees it. */
interface StreamPart {
  readonly aggregate: string
  readonly id: string
  /** Where it stands among the streams of the batch, from 1; given when all are known and sorted. */
  place: number
  /** What the stream must be for every commit of the batch to be stored. */
  need: number
  /** Whether a commit may be the stream's first. */
  creates: boolean
  /** How many events the commits before have. */
  added: number
  /** The last commit with each id, counted from 1. */
  readonly ids: Map<string, number>
  /** The chain of the group that is at it, and which group that is. */
  chain: number
  group: number
}

export class Batch {
  readonly commits: readonly Commit[]
  readonly #streams: StreamPart[] = []
  readonly #byStream: StreamPart[] = []
  readonly #chains: number[] = []
  readonly #same: number[] = []
  readonly #offsets: number[] = []
  readonly #before: number[] = []
  #total = 0

  constructor(groups: readonly Group[]) {
    this.commits = groups.flat()
    const known = new Map<string, Map<string, StreamPart>>()
    let chains = 0
    for (const [group, commits] of groups.entries()) {
      for (const commit of commits) {
        const stream = this.#streamOf(commit, known)
        if (stream.group !== group) {
          stream.group = group
          stream.chain = ++chains
        }
        this.#add(commit, stream)
      }
    }
    this.#streams.sort((a, b) => compare(a.aggregate, b.aggregate) || compare(a.id, b.id))
    for (const [i, stream] of this.#streams.entries()) stream.place = i + 1
  }

  #streamOf({ stream: { aggregate, id } }: Commit, known: Map<string, Map<string, StreamPart>>): StreamPart {
    let ofAggregate = known.get(aggregate)
    if (ofAggregate === undefined) {
      ofAggregate = new Map()
      known.set(aggregate, ofAggregate)
    }
    let stream = ofAggregate.get(id)
    if (stream === undefined) {
      const at = { place: 0, need: needs.anything, creates: false, added: 0, chain: 0, group: -1 }
      stream = { aggregate, id, ids: new Map(), ...at }
      ofAggregate.set(id, stream)
      this.#streams.push(stream)
    }
    return stream
  }

  #add({ expected, id, events }: Commit, stream: StreamPart): void {
    const same = stream.ids.get(id) ?? 0
    stream.need = same > 0 ? needs.aLook : needOf(expected, stream)
    stream.creates ||= expected === 'any' || expected === 'none' || expected === 0
    this.#byStream.push(stream)
    this.#chains.push(stream.chain)
    this.#same.push(same)
    this.#offsets.push(stream.added)
    this.#before.push(this.#total)
    stream.ids.set(id, this.#byStream.length)
    stream.added += events.length
    this.#total += events.length
  }

  /** The parameters of the function, from the third on. @param careful whether every commit is to be judged by itself */
  parameters(careful: boolean): readonly Parameter[] {
    const { commits } = this
    const streams = this.#streams
    const repeatable = commits.flatMap(({ fresh }, i) => (fresh ? [] : [i + 1]))
    const events = new EventColumns()
    for (const [i, commit] of commits.entries()) events.add(commit, i + 1)
    return [
      careful,
      texts(streams.map(({ aggregate }) => aggregate)),
      texts(streams.map(({ id }) => id)),
      bigints(streams.map(({ need }) => need)),
      booleans(streams.map(({ creates }) => creates)),
      ...events.kinds(),
      integers(this.#byStream.map(({ place }) => place)),
      integers(this.#chains),
      bigints(commits.map(({ expected }) => (typeof expected === 'number' ? expected : expectations[expected]))),
      texts(commits.map(({ id }) => id)),
      bigints(commits.map(({ recordedAt }) => recordedAt)),
      integers(commits.map(({ events: { length } }) => length)),
      integers(this.#same),
      bigints(this.#offsets),
      bigints(this.#before),
      repeatable.length === 0 ? null : integers(repeatable),
      ...events.columns(),
    ]
  }

  /** What became of each commit, by the function's answer. */
  results([base, sequences, outcomes]: Row): readonly AppendResult[] {
    const positionBefore = Number(base ?? 0)
    if (outcomes !== null) return this.#judged(numbersOf(outcomes!), positionBefore)
    const starts = numbersOf(sequences!)
    return this.commits.map(({ events: { length: count } }, i) => {
      const sequence = starts[this.#byStream[i]!.place - 1]! + this.#offsets[i]! + count
      return { status: 'stored', sequence, position: positionBefore + this.#before[i]! + count, count }
    })
  }

  #judged(outcomes: readonly number[], positionBefore: number): readonly AppendResult[] {
    const results: AppendResult[] = []
    for (let i = 0; i < this.commits.length; i++) {
      const [code, sequence, position, count] = outcomes.slice(4 * i, 4 * i + 4) as [number, number, number, number]
      switch (code) {
        case outcome.stored:
          results.push({ status: 'stored', sequence, position: positionBefore + position, count })
          break
        case outcome.duplicate:
          results.push({ status: 'duplicate', sequence, position, count })
          break
        case outcome.duplicateInBatch:
          results.push({ ...results[this.#same[i]! - 1]!, status: 'duplicate' } as AppendResult)
          break
        default:
          results.push({ status: 'conflict', sequence })
      }
    }
    return results
  }
}

/** The events of a batch as columns, and the kinds they are of. */
class EventColumns {
  readonly #kindPlaces = new Map<string, Map<string, number>>()
  readonly #kindAggregates: string[] = []
  readonly #kindTypes: string[] = []
  readonly #commits: number[] = []
  readonly #places: number[] = []
  readonly #kinds: number[] = []
  readonly #revisions: number[] = []
  readonly #data: string[] = []
  readonly #metadata: (string | null)[] = []
  readonly #tagLists: (string | null)[] = []
  readonly #tagEvents: number[] = []
  readonly #tags: string[] = []

  add({ stream: { aggregate }, events }: Commit, commit: number): void {
    for (const [i, { type, revision, data, metadata, tags }] of events.entries()) {
      this.#commits.push(commit)
      this.#places.push(i + 1)
      this.#kinds.push(this.#kindOf(aggregate, type))
      this.#revisions.push(revision)
      this.#data.push(JSON.stringify(data))
      const noted = JSON.stringify(metadata)
      this.#metadata.push(noted === '{}' ? null : noted)
      this.#tagLists.push(tags.length === 0 ? null : arrayText(tags))
      for (const tag of tags) {
        this.#tagEvents.push(this.#commits.length)
        this.#tags.push(tag)
      }
    }
  }

  #kindOf(aggregate: string, type: string): number {
    let places = this.#kindPlaces.get(aggregate)
    if (places === undefined) {
      places = new Map()
      this.#kindPlaces.set(aggregate, places)
    }
    let place = places.get(type)
    if (place === undefined) {
      this.#kindAggregates.push(aggregate)
      this.#kindTypes.push(type)
      place = this.#kindTypes.length
      places.set(type, place)
    }
    return place
  }

  kinds(): readonly Parameter[] {
    return [texts(this.#kindAggregates), texts(this.#kindTypes)]
  }

  columns(): readonly Parameter[] {
    return [
      integers(this.#commits),
      integers(this.#places),
      integers(this.#kinds),
      bigints(this.#revisions),
      texts(this.#data),
      texts(this.#metadata),
      texts(this.#tagLists),
      this.#tags.length === 0 ? null : integers(this.#tagEvents),
      this.#tags.length === 0 ? null : texts(this.#tags),
    ]
  }
}

/**
 * What a stream must be for one more commit to be stored, after those that the batch has for it already. Where that cannot be
 * said by one number, or it cannot be at all, each commit is to be looked at.
 */
function needOf(expected: Expected, { need, added }: StreamPart): number {
  if (need === needs.aLook) return need
  if (added === 0)
    return expected === 'any'
      ? needs.anything
      : expected === 'exists'
        ? needs.someEvent
        : Number(expected === 'none' ? 0 : expected)
  if (expected === 'any' || expected === 'exists') return need
  return need >= 0 && expected === need + added ? need : needs.aLook
}

/** Any order will do that is the same in every process. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
