/**
 * Where streams end, and which there are. The streams that this process works with are known from reading and
 * appending. One query for commits after the known ones (`log-end.ts`) therefore shows for any number of them whether
 * they have moved. Only unknown streams are looked up, one by one, after those without events were sorted out by
 * hundreds.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { StreamEnd } from '../../store.ts'
import { pageOf, type StreamList, type StreamQuery, wantedOf } from '../../stream-list.ts'
import type { Database } from '../database/database.ts'
import { indexes } from '../database/indexes.ts'
import { type CommitHeader, checkHeaders, headerFields, receiptOf } from './commit-document.ts'
import type { LogEnd } from './log-end.ts'
import { keyOf, type Streams } from './streams.ts'

/** The number of streams that one query lists or sorts out, and that are looked up at a time. */
const askedMax = 500
const lookedUpMax = 50

/** The end of a stream without events. */
export const noEnd: StreamEnd = Object.freeze({ sequence: 0, checksum: 0 })

/** The last commit of a stream. */
export async function lastOf(
  database: Database,
  store: string,
  { aggregate, id }: StreamId,
): Promise<CommitHeader | undefined> {
  const last = await database.find<CommitHeader>('commits', {
    filter: { aggregate, id },
    sort: { from: -1 },
    limit: 1,
    projection: headerFields,
    hint: indexes.byStream,
  })
  return checkHeaders(last, store)[0]
}

export class StreamEnds {
  readonly #database: Database
  readonly #label: string
  readonly #streams: Streams
  readonly #end: LogEnd

  constructor(database: Database, label: string, streams: Streams, end: LogEnd) {
    this.#database = database
    this.#label = label
    this.#streams = streams
    this.#end = end
  }

  /** Where streams end, in the order of the argument. Every commit that was acknowledged before counts. */
  async of(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    if (streams.length === 0) return []
    await this.#end.follow({ latest: true })
    const ends = new Map<string, StreamEnd>()
    const strange = new Map<string, StreamId>()
    for (const stream of streams) {
      const key = keyOf(stream)
      const end = this.#streams.endOf(key)
      if (end === undefined) strange.set(key, stream)
      else ends.set(key, end)
    }
    for (const [key, end] of await this.#lookUp(strange)) ends.set(key, end)
    return streams.map((stream) => ends.get(keyOf(stream))!)
  }

  /**
   * The ids of an aggregate's streams in order, by their first commits. The server reads about two entries of the index
   * for each: it skips to the next id after the first commit of one.
   */
  async list(aggregate: string, { after, limit }: StreamQuery): Promise<StreamList> {
    const ids: string[] = []
    for (let wanted = wantedOf(limit); ids.length < wanted; ) {
      const last = ids.at(-1) ?? after
      const count = Math.min(wanted - ids.length, askedMax)
      const firsts = await this.#database.find<CommitHeader>('commits', {
        filter: { aggregate, ...(last !== undefined && { id: { $gt: last } }), from: 1n },
        sort: { aggregate: 1, id: 1 },
        limit: count,
        projection: headerFields,
        hint: indexes.byStream,
      })
      for (const { id } of checkHeaders(firsts, this.#label)) ids.push(id)
      if (firsts.length < count) break
    }
    return pageOf(ids, limit)
  }

  async #lookUp(strange: ReadonlyMap<string, StreamId>): Promise<ReadonlyMap<string, StreamEnd>> {
    const { era } = this.#streams
    const ends = new Map<string, StreamEnd>([...strange.keys()].map((key) => [key, noEnd]))
    const there = await this.#withEvents([...strange.values()])
    for (let next = 0; next < there.length; next += lookedUpMax) {
      const some = there.slice(next, next + lookedUpMax)
      const last = await Promise.all(some.map((stream) => lastOf(this.#database, this.#label, stream)))
      for (const header of last) if (header !== undefined) ends.set(keyOf(header), endOf(header))
    }
    for (const [key, end] of ends) this.#streams.learnEnd(key, end, era)
    return ends
  }

  /** The streams that have a first commit. */
  async #withEvents(streams: readonly StreamId[]): Promise<readonly StreamId[]> {
    const there: StreamId[] = []
    for (const [aggregate, own] of Map.groupBy(streams, (stream) => stream.aggregate)) {
      for (let next = 0; next < own.length; next += askedMax) {
        const ids = own.slice(next, next + askedMax).map(({ id }) => id)
        const firsts = await this.#database.find<CommitHeader>('commits', {
          filter: { aggregate, id: ids.length === 1 ? ids[0] : { $in: ids }, from: 1n },
          projection: headerFields,
          hint: indexes.byStream,
        })
        for (const { id } of checkHeaders(firsts, this.#label)) there.push({ aggregate, id })
      }
    }
    return there
  }
}

const endOf = (header: CommitHeader): StreamEnd => {
  const { sequence, checksum } = receiptOf(header)
  return { sequence, checksum }
}
