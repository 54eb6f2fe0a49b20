/**
 * Appends batches, one at a time. A commit is one document. Its `_id` follows from the last document of the log, and
 * its `from` follows from the last one of its stream:
 *
 * - **No gap, no overlap.** A document is only placed after a predecessor that a majority has: one that was read with
 *   majority concern, or that this process wrote and a majority acknowledged. Documents never change, so the end of the
 *   predecessor is certain, however long ago it was seen. If the predecessor already has a successor, that one begins
 *   at the same place, and the unique index refuses ours. What is known here may therefore be out of date without harm:
 *   no cache is ever invalidated, it is only updated when the server refuses. The same holds for a stream by `{
 *   aggregate, id, from }`.
 * - **A visible prefix.** A batch is one ordered insert. Its documents are inserted in order, each after its
 *   predecessor, up to the first that collides. The documents before that are stored; the rest is placed again.
 * - **An unknown outcome** (no answer, no majority in time) makes the appender drop everything that it knows. The same
 *   commits, appended again, are placed at the end, and those that are stored collide by their ids. A lost insert that
 *   reaches the server late is like one more writer.
 *
 * The usual batch is therefore one command: its streams are known from earlier appends and reads, or are new. After a
 * pause, and from time to time, it is preceded by a look at what others have appended and reserved
 * (`reserved-streams.ts`). If several processes append all the time, they take turns (`pacing.ts`), and one that cannot
 * keep up asks for a turn (`turn.ts`).
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

/** The greatest number of documents of one insert. In bytes an insert has at most the size of one document. */
const insertCountMax = 1000
/** A writer that others have beaten for this long takes the turn. */
const patientMs = 300
/** How long a writer waits for others at most, and how often it checks them. */
const turnMsMax = 2000
const turnPollMs = 20

/** Where an insert stopped. */
interface Stop {
  readonly placement: Placement
  readonly error: WriteError
}

/** The parts of an appender. */
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

  /** Appends the commits of several callers as one batch. Call it again only when this call has settled. */
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
        const doing = `appending: other writers kept taking its place for ${Math.round(waitedMs)} ms`
        throw new StoreError('STORE_UNAVAILABLE', { store: this.#label, doing })
      }
      if (waitedMs > patientMs && !(await this.#turn.take())) await pause(collisions)
      // These facts are soon out of date, so there is no wait between this and the next insert.
      await this.#learn(progress, stop, collisions)
    }
  }

  /** Rests if other writers are active, and as long as one of them has the turn. */
  async #letOthersGoFirst(start: number): Promise<void> {
    const restMs = this.#pacing.restMs(start)
    if (restMs > 0) await rest(restMs)
    // This look is not waited for. It serves the next batch.
    if (this.#pacing.shouldLook(start)) void this.#turn.look()
    while (this.#turn.isOthers && elapsedMs() - start < turnMsMax) {
      await rest(turnPollMs)
      await this.#turn.look()
    }
  }

  /** A plan based on known facts, after unknown ones were asked for. */
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

  /** Inserts documents in order, with as few commands as their size allows. @returns where it stopped, if it did */
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

  /** Finds out why a document collided: by the index that the server names, or by a look at all possible causes. */
  async #learn(progress: Progress, { placement, error }: Stop, collisions: number): Promise<void> {
    const collision = collisionOf(error.keyPattern)
    if (collision === 'foreign') {
      const doing = 'appending: an index of another program refuses the commit'
      throw new StoreError('STORE_UNAVAILABLE', { store: this.#label, doing }, new Error(error.errmsg))
    }
    const { entry, index } = placement
    const now = elapsedMs()
    const isBehind = (collision === undefined || collision === 'position') && (await this.#catchUp(progress))
    // If no index is named and the place was taken, that is reason enough. Other reasons show at a free place.
    if (collision === 'position' || isBehind) {
      this.#pacing.lost(now)
      // The other document is not visible before a majority has it.
      if (!isBehind) await pause(collisions)
      return
    }
    // Facts from earlier looks may have changed since, so every commit that would be refused is looked at again.
    progress.looked.clear()
    // If one commit of a batch is already stored, the batch is probably repeated. If one stream was not new, others may
    // not be either. All such commits are looked at together.
    const others = progress.entries.slice(index + 1).filter(({ key, commit }) => {
      return this.#streams.sequenceOf(key) === undefined || (collision !== 'sequence' && !commit.fresh)
    })
    await this.#look(progress, [entry, ...others], entry)
  }

  /**
   * Reads every commit that others have appended after the known end, so that earlier looks need not be repeated.
   *
   * @returns whether they have appended
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
    // Otherwise another call has followed a part of it, or none has. The next plan then looks again.
    if (!hasJumped && start === progress.head) progress.head = head
    return isBehind
  }

  /**
   * Looks where the streams of some commits end, and then whether the ids of all their commits that are left are
   * stored. In this order a commit that counts for the sequence is also found by its id.
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

/** The documents of the next insert, as many as fit. */
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
