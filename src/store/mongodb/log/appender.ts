/**
 * Appends batches, one at a time. A commit is one document whose `_id` follows from the last document of the log and
 * whose `from` follows from the last one of its stream:
 *
 * - **No gap, no overlap.** A document is only ever placed behind a predecessor that a majority has: one that was read
 *   with majority concern, or written by this process and acknowledged by a majority. Documents never change, so where
 *   it ends is certain, however long ago it was seen. If the predecessor has a successor already, that one begins at
 *   the very same place, and the unique index refuses ours. So what is known here may be out of date, but never
 *   harmfully: no cache is ever invalidated, it is only brought up to date where the server refuses. The same holds for
 *   a stream by `{ aggregate, id, from }`.
 * - **A visible prefix.** A batch is one ordered insert, so its documents come to be in order, each behind its
 *   predecessor, and stop at the first that collides. What stood before it is stored; the rest is placed again.
 * - **An unknown outcome** (no answer, no majority in time) forgets all that is known. The same commits appended again
 *   are placed behind the end, and those that are stored collide by their ids. A lost insert that reaches the server
 *   late is one more writer.
 *
 * So the usual batch is one command: streams are known from earlier appends and reads, or new. After a pause, and once
 * in a while, it is preceded by a look at what others have appended and reserved (`reserved-streams.ts`). Where several
 * processes append without cease they take turns (`pacing.ts`), and one that cannot keep up asks for one (`turn.ts`).
 */
import { StoreError } from '../../../domain/error.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { elapsedMs, rest } from '../../../runtime/timers.ts'
import type { Commit } from '../../commit.ts'
import type { AppendResult } from '../../store.ts'
import { type Database, pause } from '../database/database.ts'
import { type WriteError, writeErrorOf } from '../database/failure.ts'
import { collisionOf, indexes } from '../database/indexes.ts'
import { Pacing } from '../fairness/pacing.ts'
import type { Turn } from '../fairness/turn.ts'
import type { Settings } from '../options.ts'
import { type Entry, idKeyOf, type Placement, type Plan, type Progress, planBatch } from './batch-plan.ts'
import {
  bytesOf,
  type CommitDocument,
  type CommitHeader,
  checkHeaders,
  documentBytesMax,
  documentOf,
  headerFields,
  receiptOf,
  WrittenCommit,
} from './commit-document.ts'
import type { LogEnd } from './log-end.ts'
import type { ReservedStreams } from './reserved-streams.ts'
import { lastOf, noEnd } from './stream-ends.ts'
import { keyOf, type Streams } from './streams.ts'

/** How many documents one insert has at most. In bytes it has at most as many as one document may have. */
const insertCountMax = 1000
/** Whom others have overtaken for so long takes the turn. */
const patientMs = 300
/** How long others are let go first at most, and how often it is looked whether they have. */
const turnMsMax = 2000
const turnPollMs = 20

/** Where an insert stopped. */
interface Stop {
  readonly placement: Placement
  readonly error: WriteError
}

/** What an appender works with. */
export interface AppenderParts {
  readonly database: Database
  readonly streams: Streams
  readonly end: LogEnd
  readonly turn: Turn
  readonly reserved: ReservedStreams
}

export class Appender {
  readonly #database: Database
  readonly #label: string
  readonly #streams: Streams
  readonly #end: LogEnd
  readonly #timeoutMs: number
  readonly #lookMs: number
  readonly #turn: Turn
  readonly #reserved: ReservedStreams
  readonly #pacing = new Pacing()

  constructor(
    { database, streams, end, turn, reserved }: AppenderParts,
    { label, timeoutMs, lookMs }: Pick<Settings, 'label' | 'timeoutMs' | 'lookMs'>,
  ) {
    this.#database = database
    this.#turn = turn
    this.#reserved = reserved
    this.#streams = streams
    this.#end = end
    this.#label = label
    this.#timeoutMs = timeoutMs
    this.#lookMs = lookMs
  }

  /** Appends the commits of several callers as one batch. Not to be called again before it is done. */
  async append(
    callers: readonly (readonly Commit[])[],
    writers: readonly (string | undefined)[],
  ): Promise<readonly AppendResult[]> {
    const entries = callers.flatMap((commits, caller) =>
      commits.map((commit): Entry => {
        const written = new WrittenCommit(commit)
        return { commit, written, caller, writer: writers[caller], key: keyOf(commit.stream) }
      }),
    )
    const progress: Progress = {
      entries,
      results: [],
      looked: new Set(),
      found: new Map(),
      reserved: new Set(),
      storedCount: 0,
      head: 0,
    }
    try {
      await this.#place(progress)
      await this.#reserved.end(entries.filter((_, i) => progress.results[i]!.status === 'stored'))
      return progress.results
    } catch (error) {
      this.#end.forget()
      throw writeErrorOf(this.#label, 'appending', error, progress.storedCount === 0)
    } finally {
      void this.#turn.give()
    }
  }

  async #place(progress: Progress): Promise<void> {
    await this.#letOthersGoFirst(elapsedMs())
    const start = elapsedMs()
    for (let collisions = 0; progress.results.length < progress.entries.length; ) {
      const plan = await this.#clearPlan(progress)
      const stop = await this.#insert(progress, plan.placements)
      const end = stop === undefined ? plan.results.length : stop.placement.index - progress.results.length
      progress.results.push(...plan.results.slice(0, end))
      if (stop === undefined) {
        this.#pacing.won(elapsedMs())
        return
      }
      collisions++
      const waitedMs = elapsedMs() - start
      if (waitedMs > this.#timeoutMs) {
        const doing = `appending: others kept taking its place for ${Math.round(waitedMs)} ms`
        throw new StoreError('STORE_UNAVAILABLE', { store: this.#label, doing })
      }
      if (waitedMs > patientMs && !(await this.#turn.take())) await pause(collisions)
      // These facts are soon out of date, so nothing is waited for between this and the next insert.
      await this.#learn(progress, stop, collisions)
    }
  }

  /** Rests where others are about, and as long as one of them has the turn. */
  async #letOthersGoFirst(start: number): Promise<void> {
    const restMs = this.#pacing.restMs(start)
    if (restMs > 0) await rest(restMs)
    // Nobody waits for this look: it counts for the next batch.
    if (this.#pacing.shouldLook(start)) void this.#turn.look()
    while (this.#turn.isOthers && elapsedMs() - start < turnMsMax) {
      await rest(turnPollMs)
      await this.#turn.look()
    }
  }

  /** A plan that rests on what is known, after asking for what is not. */
  async #clearPlan(progress: Progress): Promise<Plan> {
    const [reserved, end] = await Promise.all([
      this.#reserved.ofOthers(progress.entries.slice(progress.results.length)),
      this.#end.recentlyFollowed(this.#lookMs),
    ])
    progress.reserved = reserved
    if (end.head !== progress.head) progress.looked.clear()
    progress.head = end.head
    for (;;) {
      const plan = planBatch(progress, { end, sequenceOf: (key) => this.#streams.sequenceOf(key) })
      if (plan.unclear.length === 0) return plan
      await this.#look(progress, plan.unclear)
    }
  }

  /** Inserts documents in order, as few commands as their size allows. @returns where it stopped, if it did */
  async #insert(progress: Progress, placements: readonly Placement[]): Promise<Stop | undefined> {
    const { era } = this.#streams
    for (let next = 0; next < placements.length; ) {
      const documents = documentsFrom(placements, next)
      const { count, duplicate } = await this.#database.insert('commits', documents)
      const stored = duplicate?.index ?? documents.length
      if (duplicate === undefined && count !== documents.length) {
        const doing = `appending: the server says that it stored ${count} of ${documents.length}`
        throw new StoreError('STORE_UNAVAILABLE', { store: this.#label, doing })
      }
      for (const { header } of placements.slice(next, next + stored)) {
        this.#end.add(header, era)
        progress.head = receiptOf(header).position
      }
      next += stored
      progress.storedCount += stored
      if (duplicate !== undefined) return { placement: placements[next]!, error: duplicate }
    }
    return undefined
  }

  /** Finds out why a document collided: by the index that the server names, else by looking at all that it can be. */
  async #learn(progress: Progress, { placement, error }: Stop, collisions: number): Promise<void> {
    const collision = collisionOf(error.keyPattern)
    if (collision === 'foreign') {
      const doing = 'appending: an index of somebody else refuses the commit'
      throw new StoreError('STORE_UNAVAILABLE', { store: this.#label, doing }, new Error(error.errmsg))
    }
    const { entry, index } = placement
    const now = elapsedMs()
    const isBehind = (collision === undefined || collision === 'position') && (await this.#catchUp(progress))
    // Where no index is named and the place was taken, that is reason enough: what else there is shows at a place that
    // is free.
    if (collision === 'position' || isBehind) {
      this.#pacing.lost(now)
      // What is there is not to be seen before a majority has it.
      if (!isBehind) await pause(collisions)
      return
    }
    // What was looked at before may have changed since: every commit that would be refused is looked at again.
    progress.looked.clear()
    // Where one commit of a batch is stored already, a batch is probably repeated, and where one stream was not new,
    // others are not either: all such are looked at together.
    const others = progress.entries.slice(index + 1).filter(({ key, commit }) => {
      return this.#streams.sequenceOf(key) === undefined || (collision !== 'sequence' && !commit.fresh)
    })
    await this.#look(progress, [entry, ...others], entry)
  }

  /**
   * Learns what others have appended behind the known end, every commit of it: so what was looked at before need not be
   * looked at again.
   *
   * @returns whether they have
   */
  async #catchUp(progress: Progress): Promise<boolean> {
    const start = this.#end.followed?.head
    const { head, missed, hasJumped } = await this.#end.follow({ latest: false })
    const isBehind = head > progress.head
    const left = new Map(progress.entries.slice(progress.results.length).map((entry) => [idKeyOf(entry), entry]))
    for (const header of missed) {
      const entry = left.get(idKeyOf({ key: keyOf(header), commit: { id: header.commitId } }))
      if (entry !== undefined) progress.found.set(entry, receiptOf(header))
    }
    // Else some of it was followed by somebody else, or by nobody: then the next plan looks again.
    if (!hasJumped && start === progress.head) progress.head = head
    return isBehind
  }

  /**
   * Looks how far the streams of some commits are, and then whether the ids of all that is left for them are stored: in
   * this order, so that a commit which counts for the sequence is found by its id too.
   */
  async #look(progress: Progress, entries: readonly Entry[], collided?: Entry): Promise<void> {
    const asked = new Set(entries.map(({ key }) => key))
    const left = progress.entries.slice(progress.results.length).filter(({ key }) => asked.has(key))
    const { era } = this.#streams
    const lookAt = async ([key, own]: readonly [string, readonly Entry[]]) => {
      const { stream } = own[0]!.commit
      const last = await lastOf(this.#database, this.#label, stream)
      const repeated = own.filter((entry) => entry === collided || !entry.commit.fresh)
      const stored = await this.#findIds(stream, repeated)
      this.#streams.learnEnd(key, last === undefined ? noEnd : receiptOf(last), era)
      for (const entry of own) {
        const header = stored.get(entry.commit.id)
        if (header !== undefined) progress.found.set(entry, receiptOf(header))
        progress.looked.add(entry)
      }
    }
    await Promise.all(
      Array.from(
        Map.groupBy(left, ({ key }) => key),
        lookAt,
      ),
    )
  }

  async #findIds({ aggregate, id }: StreamId, entries: readonly Entry[]): Promise<ReadonlyMap<string, CommitHeader>> {
    if (entries.length === 0) return new Map()
    const ids = [...new Set(entries.map(({ commit }) => commit.id))]
    const headers = await this.#database.find<CommitHeader>('commits', {
      filter: { aggregate, id, commitId: ids.length === 1 ? ids[0] : { $in: ids } },
      projection: headerFields,
      hint: indexes.byCommit,
    })
    return new Map(checkHeaders(headers, this.#label).map((header) => [header.commitId, header]))
  }
}

/** The documents of the next insert: as many as it may have. */
function documentsFrom(placements: readonly Placement[], start: number): readonly CommitDocument<bigint>[] {
  const documents: CommitDocument<bigint>[] = []
  let bytes = 0
  for (const { entry, header } of placements.slice(start, start + insertCountMax)) {
    bytes += bytesOf(entry.written)
    if (documents.length > 0 && bytes > documentBytesMax) break
    documents.push(documentOf(header, entry.written.content))
  }
  return documents
}
