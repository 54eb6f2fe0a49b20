/**
 * The end of the log, and where commits are known to begin and end. A commit never changes, so what was once known of
 * it holds for ever: a read that goes on where another ended needs not ask whether a commit reaches into its range.
 *
 * The log is *followed* by what appends to it and by what has to know where streams end: every commit behind the last
 * one that was followed is looked at, so one question tells of all streams whether they have moved. Each question
 * begins at a commit that is known, which shows whether the log is still the same.
 */
import { StoreError } from '../../../domain/error.ts'
import { elapsedMs } from '../../../runtime/timers.ts'
import type { Database, Query } from '../database/database.ts'
import { byId } from '../database/indexes.ts'
import { type CommitHeader, type CommitPlace, checkHeaders, headerFields, receiptOf } from './commit-document.ts'
import { keyOf, type Streams } from './streams.ts'

/** How many places are remembered: those at which the readers of this process are about to go on. */
const placesMax = 1000
/** How many missed commits are followed one by one; behind more the end of the log is asked for. */
const missedMax = 5000

/** The last commit of the log; without one the log is empty. */
export interface End {
  readonly head: number
  readonly commit: CommitHeader | undefined
}

/** What the next commit stands behind. */
export const placeBehind = ({ head, commit }: End): Pick<CommitPlace, 'position' | 'number' | 'previous'> => ({
  position: head + 1,
  number: (commit?.number ?? 0) + 1,
  previous: commit?.checksum ?? 0,
})

/** What was met when the log was followed: every commit from where it was followed to before, up to the head. */
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
  /** By position, where the commit begins that has it, if it is not its first; 0 if one begins right there. */
  readonly #begins = new Map<number, number>([[1, 0]])
  /** Where the newest commit begins that was seen. */
  #newest = 0
  /** Up to where the log was followed. */
  #followed: End | undefined
  /** When the last look at what follows it began, by this process's clock. */
  #followedAt = Number.NEGATIVE_INFINITY

  constructor(database: Database, label: string, streams: Streams) {
    this.#database = database
    this.#label = label
    this.#streams = streams
  }

  /** The end of the log. Looked for from the newest commit on: not every server reads an index from its end. */
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

  /** Up to where the log was followed; undefined if that is not known. */
  get followed(): End | undefined {
    return this.#followed
  }

  /** How many events a commit has, on average. */
  get eventsPerCommit(): number {
    const { head, commit } = this.#followed ?? {}
    return head === undefined || commit === undefined ? 1 : head / commit.number
  }

  /**
   * Up to where the log was followed a moment ago, or now. So a log that was replaced by an older one is not written on
   * for long.
   */
  async recentlyFollowed(withinMs: number): Promise<End> {
    const isRecent = elapsedMs() - this.#followedAt <= withinMs
    if (this.#followed === undefined || !isRecent) await this.follow({ latest: false })
    return this.#followed ?? this.recentlyFollowed(withinMs)
  }

  /**
   * Looks at what was appended behind the end that is known.
   *
   * @param latest whether every commit counts that was acknowledged before, also where this server has been deposed
   *   without knowing it yet
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

  /** A commit was met or made: right behind those that were followed, or it is one of them. */
  add(header: CommitHeader, era: number): void {
    const { sequence, position, checksum } = receiptOf(header)
    this.#streams.learnEnd(keyOf(header), { sequence, checksum }, era)
    this.learn(header)
    if (this.#followed?.head === header._id - 1) this.#followed = { head: position, commit: header }
  }

  /** Forgets up to where the log was followed, and all about streams: after that nothing is known that may be wrong. */
  forget(): void {
    this.#followed = undefined
    this.#streams.forget()
  }

  /** Remembers a commit that a majority has, as one behind which, or at some position of which, a read may go on. */
  learn({ _id, count }: Pick<CommitHeader, '_id' | 'count'>, next: number = _id + count): void {
    this.#newest = Math.max(this.#newest, _id)
    if (this.#begins.size >= placesMax) this.#begins.clear()
    this.#begins.set(next, next < _id + count ? _id : 0)
    this.#begins.set(next - 1, next - 1 > _id ? _id : 0)
  }

  /**
   * Where the commit begins that reaches into the log from a position on; 0 if none does, undefined if it is not known.
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

  /** Where the log has not been followed, it is from its end on. */
  #begin(end: End, known: End | undefined): End {
    if (known !== undefined) return end
    this.#streams.forgetEnds()
    this.#followed = end
    return end
  }

  /** The log was replaced behind the store's back: nothing that is known of it holds. */
  forgetAll(): void {
    this.#newest = 0
    this.#begins.clear()
    this.forget()
  }
}
