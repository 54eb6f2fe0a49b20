/**
 * The end of the log, and the known places where commits begin and end. A commit never changes, so these facts never
 * get wrong. A read that continues where another one ended need not ask whether a commit reaches into its range.
 *
 * Appends, and calls that need to know where streams end, *follow* the log: they look at every commit after the last
 * one that was followed. One query therefore shows for all streams whether they have moved. Each query begins at a
 * known commit, which shows whether the log is still the same.
 */
import { StoreError } from '../../../domain/error.ts'
import { elapsedMs } from '../../../runtime/timers.ts'
import type { Database, Query } from '../database/database.ts'
import { byId } from '../database/indexes.ts'
import { type CommitHeader, type CommitPlace, checkHeaders, headerFields, receiptOf } from './commit-document.ts'
import { keyOf, type Streams } from './streams.ts'

/** The number of places that are kept: those where readers of this process will continue. */
const placesMax = 1000
/** The number of missed commits that are followed one by one. If there are more, the end of the log is asked for. */
const missedMax = 5000

/** The end of the log. Without a commit the log is empty. */
export interface End {
  readonly head: number
  readonly commit: CommitHeader | undefined
}

/** The place after the last commit. */
export const placeBehind = ({ head, commit }: End): Pick<CommitPlace, 'position' | 'number' | 'previous'> => ({
  position: head + 1,
  number: (commit?.number ?? 0) + 1,
  previous: commit?.checksum ?? 0,
})

/** The result of following the log: every commit from the last followed one up to the head. */
export interface Followed {
  readonly head: number
  readonly missed: readonly CommitHeader[]
  /** Whether there were too many to look at. */
  readonly hasJumped: boolean
}

export class LogEnd {
  readonly #database: Database
  readonly #label: string
  readonly #streams: Streams
  /** For a position inside a commit, where that commit begins; 0 if a commit begins at the position. */
  readonly #begins = new Map<number, number>([[1, 0]])
  /** The position at which the newest known commit begins. */
  #newest = 0
  /** Up to where the log was followed. */
  #followed: End | undefined
  /** When the last look for later commits began, by this process's clock. */
  #followedAt = Number.NEGATIVE_INFINITY

  constructor(database: Database, label: string, streams: Streams) {
    this.#database = database
    this.#label = label
    this.#streams = streams
  }

  /**
   * The end of the log. It is searched for from the newest known commit on, because not every server reads an index
   * from its end.
   */
  read(signal?: AbortSignal): Promise<End> {
    return this.#read((query) => this.#database.find<CommitHeader>('commits', query, signal))
  }

  async #read(find: (query: Query) => Promise<readonly CommitHeader[]>): Promise<End> {
    const query: Query = {
      filter: { _id: { $gte: BigInt(this.#newest) } },
      sort: { _id: -1 },
      limit: 1,
      projection: headerFields,
      hint: byId,
    }
    const known = this.#followed
    const [last] = checkHeaders(await find(query), this.#label)
    if (last === undefined) {
      if (this.#newest === 0) return this.#begin({ head: 0, commit: undefined }, known)
      this.forgetAll()
      return this.#read(find)
    }
    this.learn(last)
    return this.#begin({ head: receiptOf(last).position, commit: last }, known)
  }

  /** Up to where the log was followed, or undefined if that is unknown. */
  get followed(): End | undefined {
    return this.#followed
  }

  /** The average number of events of a commit. */
  get eventsPerCommit(): number {
    const { head, commit } = this.#followed ?? {}
    return head === undefined || commit === undefined ? 1 : head / commit.number
  }

  /**
   * Up to where the log was followed a moment ago, or now. A store whose log was replaced by an older one therefore
   * does not write to it for long without noticing.
   */
  async recentlyFollowed(withinMs: number): Promise<End> {
    const isRecent = elapsedMs() - this.#followedAt <= withinMs
    if (this.#followed === undefined || !isRecent) await this.follow({ latest: false })
    return this.#followed ?? this.recentlyFollowed(withinMs)
  }

  /**
   * Looks for commits after the known end.
   *
   * @param latest whether it must see every commit that was acknowledged before, even if this server has been deposed
   *   and does not know it yet
   * @throws StoreError `STORE_CORRUPT` if a commit is missing
   */
  async follow({ latest }: { readonly latest: boolean }): Promise<Followed> {
    const { era } = this.#streams
    const start = elapsedMs()
    const find = (query: Query) => this.#database[latest ? 'findLatest' : 'find']<CommitHeader>('commits', query)
    if (this.#followed === undefined) return this.#jump(find)
    const { head, commit } = this.#followed
    const query: Query = {
      filter: { _id: { $gte: BigInt(commit?._id ?? 1) } },
      sort: { _id: 1 },
      limit: missedMax + 1,
      projection: headerFields,
      hint: byId,
    }
    const found = checkHeaders(await find(query), this.#label)
    if (era !== this.#streams.era) return this.follow({ latest })
    if (commit !== undefined && found[0]?.checksum !== commit.checksum) {
      this.forgetAll()
      return this.follow({ latest })
    }
    this.#followedAt = start
    if (found.length > missedMax) return this.#jump(find)
    const missed = commit === undefined ? found : found.slice(1)
    let end = head
    for (const header of missed) {
      if (header._id !== end + 1) {
        const reason = `the commit is missing; the next one begins at ${header._id}`
        throw new StoreError('STORE_CORRUPT', { store: this.#label, where: `position ${end + 1}`, reason })
      }
      end = receiptOf(header).position
      this.add(header, era)
    }
    return { head: end, missed, hasJumped: false }
  }

  /** Adds a commit that was read or written. It comes directly after those that were followed, or is one of them. */
  add(header: CommitHeader, era: number): void {
    const { sequence, position, checksum } = receiptOf(header)
    this.#streams.learnEnd(keyOf(header), { sequence, checksum }, era)
    this.learn(header)
    if (this.#followed?.head === header._id - 1) this.#followed = { head: position, commit: header }
  }

  /** Drops what is known of the followed part of the log and of streams. Nothing that may be wrong is kept. */
  forget(): void {
    this.#followed = undefined
    this.#streams.forget()
  }

  /** Keeps a commit that a majority has. A read may continue after it, or at a position inside it. */
  learn({ _id, count }: Pick<CommitHeader, '_id' | 'count'>, next: number = _id + count): void {
    this.#newest = Math.max(this.#newest, _id)
    if (this.#begins.size >= placesMax) this.#begins.clear()
    this.#begins.set(next, next < _id + count ? _id : 0)
    this.#begins.set(next - 1, next - 1 > _id ? _id : 0)
  }

  /**
   * Where the commit with a position begins, if it begins before that position; 0 if a commit begins there, undefined
   * if that is unknown.
   */
  reachingInto(position: number): number | undefined {
    return position <= 1 ? 0 : this.#begins.get(position)
  }

  async #jump(find: (query: Query) => Promise<readonly CommitHeader[]>): Promise<Followed> {
    this.#followed = undefined
    this.#followedAt = elapsedMs()
    const { head } = await this.#read(find)
    return { head, missed: [], hasJumped: true }
  }

  /** If the log has not been followed yet, it is followed from its end on. */
  #begin(end: End, known: End | undefined): End {
    if (known !== undefined) return end
    this.#streams.forgetEnds()
    this.#followed = end
    return end
  }

  /** Drops everything, because the log was replaced. */
  forgetAll(): void {
    this.#newest = 0
    this.#begins.clear()
    this.forget()
  }
}
