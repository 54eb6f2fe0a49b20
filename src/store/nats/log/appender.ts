/**
 * Appends batches, one at a time. The commits of a batch become one atomic batch of messages, or several if they are
 * many. The first message to each subject says where the subject must end, so the server stores a batch only if every
 * stream is as it was when the commits were judged:
 *
 * - **No lost update.** What is known here of a stream may be out of date without harm. If the server refuses, the
 *   streams of the batch are looked at, and the batch is worked out again.
 * - **One effect for each id.** A commit whose id may be stored already is only placed behind an end up to which all
 *   ids of its stream are known. The same expectation proves that none was added since. This does not depend on time,
 *   as the server's own window for duplicates does.
 * - **An untrue no is not possible.** A conflict is only answered after the stream was looked at during the call.
 * - **An unknown outcome** makes the appender drop everything that it knows, and look for the ids of all commits. A
 *   batch that reaches the server late is like one more writer: of two batches with one expectation, one is refused.
 */
import { StoreError } from '../../../domain/error.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { elapsedMs, rest } from '../../../runtime/timers.ts'
import type { Commit } from '../../commit.ts'
import type { AppendResult, Receipt } from '../../store.ts'
import { isBatchGivenUp, isInDoubt, isPassing, isWrongLastSequence, writeErrorOf } from '../database/failure.ts'
import type { Database } from '../database/setup.ts'
import type { Settings } from '../options.ts'
import { absolute, type Entry, type Plan, type Progress, planBatch, receiptOf } from './batch-plan.ts'
import { LogWriter } from './log-writer.ts'
import type { ReservedStreams } from './reserved-streams.ts'
import type { StreamReader } from './stream-reader.ts'
import { keyOf, type Streams } from './streams.ts'

const pauseMsMax = 50
/** The number of refusals after which it looks whether the log ends within a commit. */
const refusalsMax = 3
/** How long it waits for the answer to a batch before it looks what has become of it. */
const answerMs = 2000
/** How many streams are read at the same time. */
const readAtOnceMax = 16

export interface AppenderParts {
  readonly database: Database
  readonly streams: Streams
  readonly reader: StreamReader
  readonly reserved: ReservedStreams
}

interface StreamNames {
  readonly key: string
  readonly subject: string
}

export class Appender {
  readonly #database: Database
  readonly #writer: LogWriter
  readonly #streams: Streams
  readonly #names = new WeakMap<StreamId, StreamNames>()
  readonly #reader: StreamReader
  readonly #reserved: ReservedStreams
  readonly #label: string
  readonly #timeoutMs: number

  constructor({ database, streams, reader, reserved }: AppenderParts, { label, timeoutMs }: Settings) {
    this.#database = database
    this.#writer = new LogWriter(database.log)
    this.#streams = streams
    this.#reader = reader
    this.#reserved = reserved
    this.#label = label
    this.#timeoutMs = timeoutMs
  }

  /** Appends the commits of several callers as one batch. Call it again only when this call has settled. */
  async append(
    callers: readonly (readonly Commit[])[],
    writers: readonly (string | undefined)[],
  ): Promise<readonly AppendResult[]> {
    const entries = callers.flatMap((commits, caller) =>
      commits.map((commit): Entry => {
        const { key, subject } = this.#namesOf(commit.stream)
        return { commit, caller, writer: writers[caller], key, subject }
      }),
    )
    const progress: Progress = {
      entries,
      results: [],
      looked: new Set(),
      reserved: new Set(),
      storedCount: 0,
      isInDoubt: false,
    }
    this.#streams.trim()
    try {
      await this.#writer.settle()
      await this.#place(progress)
      await this.#reserved.end(entries.filter((_, i) => progress.results[i]!.status === 'stored'))
      return progress.results
    } catch (error) {
      this.#streams.forget()
      throw writeErrorOf(this.#label, 'appending', error, progress.storedCount === 0 && !progress.isInDoubt)
    }
  }

  /** An instance of an aggregate names its stream by one object, so its key and subject are made once. */
  #namesOf(stream: StreamId): StreamNames {
    let names = this.#names.get(stream)
    if (names === undefined) {
      names = { key: keyOf(stream), subject: this.#database.subjects.stream(stream) }
      this.#names.set(stream, names)
    }
    return names
  }

  async #place(progress: Progress): Promise<void> {
    const start = elapsedMs()
    progress.reserved = await this.#reserved.ofOthers(progress.entries)
    for (let refusals = 0; progress.results.length < progress.entries.length; ) {
      const plan = await this.#clearPlan(progress)
      const error = await this.#publish(progress, plan)
      if (error === undefined) continue
      const waitedMs = elapsedMs() - start
      if (waitedMs > this.#timeoutMs) {
        if (progress.isInDoubt || !isWrongLastSequence(error)) throw error
        const doing = `appending: other writers were first for ${Math.round(waitedMs)} ms`
        throw new StoreError('STORE_UNAVAILABLE', { store: this.#label, doing }, error)
      }
      // The leader also refuses while another batch to the subject is on its way, which no look shows yet.
      if (refusals++ > 0 || !isWrongLastSequence(error)) await rest(Math.min(2 ** refusals, pauseMsMax) * Math.random())
      progress.looked.clear()
      if (refusals === refusalsMax) await this.#writer.settle(true)
      if (isInDoubt(error)) {
        progress.isInDoubt = true
        this.#streams.forget()
        continue
      }
      for (const { entry } of plan.placements) this.#streams.forgetEnd(entry.key)
      await this.#look(
        progress,
        plan.placements.map(({ entry }) => entry),
      )
    }
  }

  /** A plan based on known facts, after unknown ones were asked for. */
  async #clearPlan(progress: Progress): Promise<Plan> {
    for (;;) {
      const plan = planBatch(progress, this.#streams)
      if (plan.unclear.length === 0) return plan
      await this.#look(progress, plan.unclear)
    }
  }

  /** @returns the error after which the batch can be tried again: nothing of it was stored, or that is unknown */
  async #publish(progress: Progress, { messages, placements, results }: Plan): Promise<Error | undefined> {
    let first = 0
    if (messages.length > 0) {
      try {
        first = (await this.#writer.publish(messages, Math.min(this.#timeoutMs, answerMs))) - messages.length + 1
      } catch (error) {
        if (isWrongLastSequence(error) || isBatchGivenUp(error) || isPassing(error)) return error as Error
        throw error
      }
    }
    const receipts: Receipt[] = []
    for (const placement of placements) {
      const { entry, end } = placement
      const receipt = receiptOf(placement, first)
      const { sequence, position, checksum } = receipt
      const links = end.links.map((link) => absolute(link, first))
      this.#streams.addCommit(entry.key, { sequence, position, checksum, links }, entry.commit, receipt)
      receipts.push(receipt)
    }
    progress.storedCount += placements.length
    // The placements are those of the stored commits, in order.
    let next = 0
    for (const result of results) {
      if (!('placement' in result)) progress.results.push(result)
      else if (result.status === 'stored') progress.results.push({ status: 'stored', ...receipts[next++]! })
      else progress.results.push({ status: 'duplicate', ...receiptOf(result.placement, first) })
    }
    return undefined
  }

  /** Looks where the streams of some commits end, and then which ids are stored there, if that matters. */
  async #look(progress: Progress, entries: readonly Entry[]): Promise<void> {
    const byKey = Map.groupBy(entries, ({ key }) => key)
    const streams = Array.from(byKey.values(), ([entry]) => entry!.commit.stream)
    const ends = await this.#reader.ends(streams)
    for (const key of byKey.keys()) progress.looked.add(key)
    const repeated = [...new Set(progress.entries.slice(progress.results.length))]
      .filter(({ key, commit }) => byKey.has(key) && (!commit.fresh || progress.isInDoubt))
      .map(({ key, commit }) => [key, commit.stream] as const)
    const wanted = [...new Map(repeated)]
    for (let next = 0; next < wanted.length; next += readAtOnceMax) {
      const some = wanted.slice(next, next + readAtOnceMax)
      await Promise.all(some.map(([key, stream]) => this.#reader.ids(stream, ends.get(key)!)))
    }
  }
}
