/**
 * A batch of commits as parameters of the function `append_batch`, and its answer as results. Everything that can be
 * prepared before the streams are locked is prepared here: the streams, kinds and repeated ids of the batch, what each
 * stream must be if every commit can be stored, and where each commit is then.
 */
import type { JsonObject } from '../../../domain/json.ts'
import type { Commit, Expected } from '../../commit.ts'
import { together } from '../../commit-queue.ts'
import type { AppendResult } from '../../store.ts'
import {
  type BatchParameter,
  batchParameterNames,
  expectations,
  needs,
  noDigest,
  outcome,
  outcomeWidth,
} from '../database/append-function.ts'
import { arrayText, bigints, booleans, integers, listOf, numbersOf, texts } from '../database/binary-arrays.ts'
import { hashOfCommit, hashOfEvent, hashOfStream, placed, unsigned } from '../database/checksum.ts'
import type { Parameter, Row } from '../database/database.ts'
import { type ReceiptRow, receiptOf } from './receipt.ts'

/** The commits of one call of `append`. */
export type Group = readonly Commit[]

/** Settings of a whole batch. */
export interface BatchOrders {
  readonly durable: boolean
  readonly lockWait: string
  /** Whether other processes are notified. */
  readonly notifies: boolean
  /** Whether every commit is judged on its own. */
  readonly careful: boolean
}

/** A stream as the batch sees it. */
interface StreamPart {
  readonly aggregate: string
  readonly id: string
  /** The hash with which the hashes of its events begin. */
  readonly hash: number
  /** Its number among the streams of the batch, from 1; set when all are known and sorted. */
  place: number
  /** The sequence that the stream must have for every commit of the batch to be stored, or one of `needs`. */
  need: number
  /** Whether a commit may be the first of the stream. */
  creates: boolean
  /** The number of events of earlier commits in the batch. */
  added: number
  /** The greatest id of its commits. Most ids are greater than all before them. */
  newestId: string
  /** The number of the last commit with each id, from 1. It is made when an id comes that is not greater. */
  ids: Map<string, number> | undefined
  /** The last group with a commit for the stream, and the number of its chain. */
  chain: number
  group: number
}

export class Batch {
  readonly commits: readonly Commit[]
  readonly #streams: StreamPart[] = []
  readonly #byStream: StreamPart[] = []
  readonly #chains: number[] = []
  /** Whether the streams' needs say what each commit expects, each stream is one chain, and no id occurs twice. */
  #isPlain = true
  readonly #same: number[] = []
  /** The numbers of commits whose ids may be stored, from 1. */
  readonly #repeatable: number[] = []
  readonly #offsets: number[] = []
  readonly #before: number[] = []
  readonly #events = new EventColumns()
  /** The hash of each commit's last event. */
  readonly #lastHashes: number[] = []
  /** The writers, and for each commit the number of its writer from 1, or 0 for none. */
  readonly #writers: string[] = []
  readonly #writerPlaces: number[] = []
  readonly #schema: string
  #total = 0

  /**
   * @param writers the writer of each group, if it is known
   * @param schema the schema, for errors
   */
  constructor(groups: readonly Group[], writers: readonly (string | undefined)[], schema: string) {
    this.#schema = schema
    this.commits = together(groups)
    const known = new Map<string, Map<string, StreamPart>>()
    let chains = 0
    for (let group = 0; group < groups.length; group++) {
      const writer = this.#placeOf(writers[group])
      for (const commit of groups[group]!) {
        const stream = this.#streamOf(commit, known)
        if (stream.group !== group) {
          if (stream.group >= 0) this.#isPlain = false
          stream.group = group
          stream.chain = ++chains
        }
        this.#add(commit, stream)
        this.#writerPlaces.push(writer)
      }
    }
    this.#streams.sort((a, b) => compare(a.aggregate, b.aggregate) || compare(a.id, b.id))
    for (let i = 0; i < this.#streams.length; i++) this.#streams[i]!.place = i + 1
  }

  #placeOf(writer: string | undefined): number {
    if (writer === undefined) return 0
    const known = this.#writers.indexOf(writer)
    return known < 0 ? this.#writers.push(writer) : known + 1
  }

  #streamOf({ stream: { aggregate, id } }: Commit, known: Map<string, Map<string, StreamPart>>): StreamPart {
    let ofAggregate = known.get(aggregate)
    if (ofAggregate === undefined) {
      ofAggregate = new Map()
      known.set(aggregate, ofAggregate)
    }
    let stream = ofAggregate.get(id)
    if (stream === undefined) {
      stream = {
        aggregate,
        id,
        hash: hashOfStream({ aggregate, id }),
        place: 0,
        need: needs.anything,
        creates: false,
        added: 0,
        newestId: '',
        ids: undefined,
        chain: 0,
        group: -1,
      }
      ofAggregate.set(id, stream)
      this.#streams.push(stream)
    }
    return stream
  }

  #add(commit: Commit, stream: StreamPart): void {
    const { expected, id, events } = commit
    const same = id > stream.newestId ? 0 : this.#lastWith(id, stream)
    stream.need = same > 0 ? needs.aLook : needOf(expected, stream)
    if (stream.need < 0 || (typeof expected !== 'number' && stream.added > 0)) this.#isPlain = false
    stream.creates ||= expected === 'any' || expected === 'none' || expected === 0
    this.#byStream.push(stream)
    this.#chains.push(stream.chain)
    this.#same.push(same)
    this.#offsets.push(stream.added)
    this.#before.push(this.#total)
    if (id > stream.newestId) stream.newestId = id
    stream.ids?.set(id, this.#byStream.length)
    if (!commit.fresh) this.#repeatable.push(this.#byStream.length)
    stream.added += events.length
    this.#total += events.length
    this.#lastHashes.push(this.#events.add(commit, this.#byStream.length, stream.hash))
  }

  /** The number of the last commit of a stream with an id, from 1; 0 if there is none. */
  #lastWith(id: string, stream: StreamPart): number {
    if (stream.ids === undefined) {
      stream.ids = new Map()
      for (let i = 0; i < this.#byStream.length; i++) {
        if (this.#byStream[i] === stream) stream.ids.set(this.commits[i]!.id, i + 1)
      }
    }
    return stream.ids.get(id) ?? 0
  }

  /** The parameters of the function. */
  parameters({ durable, lockWait, notifies, careful }: BatchOrders): readonly Parameter[] {
    const parameters: Readonly<Record<BatchParameter, Parameter>> = {
      durable,
      lock_wait: lockWait,
      notifies,
      careful,
      ...this.#streamColumns(),
      ...this.#events.kinds(),
      ...this.#writerColumns(),
      ...this.#commitColumns(),
      ...this.#events.columns(this.#total === this.commits.length),
    }
    return batchParameterNames.map((name) => parameters[name])
  }

  #streamColumns() {
    const streams = this.#streams
    return {
      aggregates: texts(streams.map(({ aggregate }) => aggregate)),
      ids: texts(streams.map(({ id }) => id)),
      needed: bigints(streams.map(({ need }) => need)),
      creates: streams.some(({ creates }) => creates) ? booleans(streams.map(({ creates }) => creates)) : null,
    }
  }

  /** If all commits have the same writer, or none has one, it is not sent for each commit. */
  #writerColumns() {
    const [first] = this.#writerPlaces
    const isOne = this.#writerPlaces.every((place) => place === first)
    return {
      writers: this.#writers.length === 0 ? null : texts(this.#writers),
      commit_writers: isOne ? null : integers(this.#writerPlaces),
    }
  }

  #commitColumns() {
    const { commits } = this
    const [first] = commits
    const hasCommands = commits.some(({ command }) => command !== undefined)
    const isOneTime = commits.every(({ recordedAt }) => recordedAt === first?.recordedAt)
    const isOneCommand = hasCommands && commits.every(({ command }) => command?.name === first!.command?.name)
    const isPlain = this.#isPlain
    const isSingle = this.#total === commits.length
    const times = isOneTime ? commits.slice(0, 1) : commits
    const named = isOneCommand ? commits.slice(0, 1) : commits
    return {
      commit_streams: integers(this.#byStream.map(({ place }) => place)),
      commit_chains: isPlain ? null : integers(this.#chains),
      commit_expected: isPlain
        ? null
        : bigints(commits.map(({ expected }) => (typeof expected === 'number' ? expected : expectations[expected]))),
      commit_ids: texts(commits.map(({ id }) => id)),
      commit_times: bigints(times.map(({ recordedAt }) => recordedAt)),
      commit_sizes: isSingle ? null : integers(commits.map(({ events: { length } }) => length)),
      commit_same: isPlain ? null : integers(this.#same),
      commit_offsets: bigints(this.#offsets),
      commit_before: isSingle ? null : bigints(this.#before),
      commit_hashes: integers(
        commits.map(({ id, events, command }, i) => hashOfCommit(this.#byStream[i]!.hash, id, events.length, command)),
      ),
      commit_commands: hasCommands ? texts(named.map(({ command }) => command?.name ?? null)) : null,
      commit_digests: hasCommands ? bigints(commits.map(({ command }) => command?.digest ?? noDigest)) : null,
      repeatable: this.#repeatable.length === 0 ? null : integers(this.#repeatable),
    }
  }

  /**
   * The result of each commit, from the function's answer.
   *
   * @throws StoreError `STORE_CORRUPT` if the stored data of a repeated commit is damaged
   */
  results([base, sequences, outcomes, commands]: Row): readonly AppendResult[] {
    const positionBefore = Number(base ?? 0)
    if (outcomes !== null) return this.#judged(numbersOf(outcomes!), listOf(commands!), positionBefore)
    const starts = numbersOf(sequences!)
    return this.commits.map((_, i) => {
      const sequence = starts[this.#byStream[i]!.place - 1]! + this.#offsets[i]!
      return this.#stored(i, sequence, positionBefore + this.#before[i]!)
    })
  }

  #stored(index: number, sequenceBefore: number, positionBefore: number): AppendResult {
    const {
      events: { length: count },
      command,
    } = this.commits[index]!
    const sequence = sequenceBefore + count
    const position = positionBefore + count
    const checksum = unsigned(placed(this.#lastHashes[index]!, sequence, position))
    return command === undefined
      ? { status: 'stored', sequence, position, count, checksum }
      : { status: 'stored', sequence, position, count, checksum, command }
  }

  #judged(
    outcomes: readonly number[],
    commands: readonly (string | null)[],
    positionBefore: number,
  ): readonly AppendResult[] {
    const results: AppendResult[] = []
    for (const [i, { stream, id, events }] of this.commits.entries()) {
      const at = outcomeWidth * i
      const [code, sequence, position] = outcomes.slice(at, at + 3) as [number, number, number]
      switch (code) {
        case outcome.stored:
          results.push(this.#stored(i, sequence - events.length, positionBefore + position - events.length))
          break
        case outcome.duplicate: {
          const row = [...outcomes.slice(at + 1, at + outcomeWidth), commands[i]] as unknown as ReceiptRow
          results.push({ status: 'duplicate', ...receiptOf(this.#schema, stream, id, row) })
          break
        }
        case outcome.duplicateInBatch:
          results.push({ ...results[this.#same[i]! - 1]!, status: 'duplicate' } as AppendResult)
          break
        default:
          results.push({ status: 'conflict', sequence, ...(code === outcome.reserved && { reserved: true }) })
      }
    }
    return results
  }
}

/** The events of a batch as columns, and their kinds. */
class EventColumns {
  readonly #kindPlaces = new Map<string, Map<string, number>>()
  readonly #kindAggregates: string[] = []
  readonly #kindTypes: string[] = []
  readonly #commits: number[] = []
  readonly #places: number[] = []
  readonly #kinds: number[] = []
  readonly #revisions: number[] = []
  readonly #sizes: number[] = []
  readonly #hashes: number[] = []
  readonly #data: string[] = []
  readonly #metadata: (string | null)[] = []
  readonly #tagLists: (string | null)[] = []
  readonly #tagEvents: number[] = []
  readonly #tags: string[] = []

  /** Adds the events of a commit. @param ofStream `hashOfStream` @returns the hash of the last one */
  add({ stream: { aggregate }, id: commitId, recordedAt, events }: Commit, commit: number, ofStream: number): number {
    let hash = 0
    for (let i = 0; i < events.length; i++) {
      const { type, revision, data, metadata, tags } = events[i]!
      const text = JSON.stringify(data)
      const noted = isEmpty(metadata) ? null : JSON.stringify(metadata)
      const tagList = tags.length === 0 ? null : arrayText(tags)
      hash = hashOfEvent(ofStream, { commitId, recordedAt, type, revision, tags, metadata: noted ?? '', data: text })
      this.#commits.push(commit)
      this.#places.push(i + 1)
      this.#kinds.push(this.#kindOf(aggregate, type))
      this.#revisions.push(revision)
      this.#sizes.push(text.length + (noted?.length ?? 0) + (tagList?.length ?? 0))
      this.#hashes.push(hash)
      this.#data.push(text)
      this.#metadata.push(noted)
      this.#tagLists.push(tagList)
      for (const tag of tags) {
        this.#tagEvents.push(this.#commits.length)
        this.#tags.push(tag)
      }
    }
    return hash
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

  kinds() {
    return { kind_aggregates: texts(this.#kindAggregates), kind_types: texts(this.#kindTypes) }
  }

  /** @param isSingle whether each commit has one event */
  columns(isSingle: boolean) {
    const hasTags = this.#tags.length > 0
    const [revision] = this.#revisions
    const isOneRevision = this.#revisions.every((each) => each === revision)
    return {
      event_commits: isSingle ? null : integers(this.#commits),
      event_places: isSingle ? null : integers(this.#places),
      event_kinds: this.#kindTypes.length === 1 ? null : integers(this.#kinds),
      event_revisions: bigints(isOneRevision ? this.#revisions.slice(0, 1) : this.#revisions),
      event_sizes: integers(this.#sizes),
      event_hashes: integers(this.#hashes),
      event_data: texts(this.#data),
      event_metadata: this.#metadata.every((noted) => noted === null) ? null : texts(this.#metadata),
      event_tag_lists: hasTags ? texts(this.#tagLists) : null,
      tag_events: hasTags ? integers(this.#tagEvents) : null,
      tags: hasTags ? texts(this.#tags) : null,
    }
  }
}

/**
 * What a stream must be for one more commit to be stored after those of the batch so far. If one number cannot say
 * that, or it is impossible, each commit is judged.
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

function isEmpty(record: JsonObject): boolean {
  for (const _ in record) return false
  return true
}

/** Any order is good if it is the same in every process. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
