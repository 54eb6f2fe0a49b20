/**
 * The streams and kinds that the numbers in rows of the log stand for, on the caller's thread. A number never changes,
 * so this is never out of date.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { StreamId } from '../../../domain/stream.ts'
import type { ReadAllOptions } from '../../store.ts'
import { allRows, oneRow, prepareAll, type StatementSet } from '../database/statement-set.ts'
import { type ReadingName, readingIn } from '../database/statements.ts'
import { checksumOfValues, seedOfKind, seedOfStream } from './checksum.ts'
import {
  damaged,
  type KnownKind,
  type KnownStream,
  lostStream,
  placeOfStream,
  type StreamPlace,
  type StreamRow,
} from './event-row.ts'

interface Kind extends KnownKind {
  readonly aggregate: string
}

const streamsMax = 100_000

export class Names {
  readonly #statements: StatementSet<ReadingName>
  readonly #streams = new Map<number, KnownStream>()
  readonly #kinds = new Map<number, Kind>()
  /** One text for each aggregate name. Identical texts are compared by reference. */
  readonly #aggregates = new Map<string, string>()
  #kindLast = 0

  constructor(database: DatabaseSync, prefix: string) {
    this.#statements = prepareAll(database, readingIn(prefix))
  }

  /** The row of a stream as it is now, or undefined if the stream has no event. */
  row(id: StreamId): StreamPlace | undefined {
    const find = () => oneRow<StreamRow>(this.#statements.stream, id.aggregate, id.id)
    const row = find()
    if (row !== undefined) return placeOfStream(id, row)
    if (oneRow(this.#statements.streamAgain, id.aggregate, id.id) === undefined) return undefined
    // It may have begun between the two questions.
    const begun = find()
    if (begun === undefined) throw lostStream(id)
    return placeOfStream(id, begun)
  }

  /** The ids of an aggregate's streams after one, by both indexes. @throws Failure if one of them lacks an id */
  ids(aggregate: string, after: string, count: number): readonly string[] {
    const { streamIds, streamIdsAgain } = this.#statements
    const by = (statement: typeof streamIds) => allRows<[string]>(statement, aggregate, after, count).map(([id]) => id)
    const [ids, again] = [by(streamIds), by(streamIdsAgain)]
    const lost = ids.findIndex((id, i) => id !== again[i])
    const isSame = lost === -1 && ids.length === again.length
    if (isSame) return ids
    throw lostStream({ aggregate, id: (lost === -1 ? again[ids.length] : ids[lost])! })
  }

  /** @throws Failure if the stream does not exist, or is not the expected one */
  stream(number: number, expected?: StreamId): KnownStream {
    const stream = this.#streams.get(number) ?? this.#learnStream(number)
    if (expected === undefined || isSame(expected, stream.id)) return stream
    throw damaged(`stream ${number}`, `it is ${JSON.stringify(stream.id)}, and not ${JSON.stringify(expected)}`)
  }

  /** @throws Failure if the kind does not exist, or is of another aggregate */
  kind(number: number, aggregate: string): KnownKind {
    let found = this.#kinds.get(number)
    if (found === undefined) {
      this.#learnKinds()
      found = this.#kinds.get(number)
    }
    if (found?.aggregate === aggregate) return found
    throw damaged(`kind ${number}`, found === undefined ? 'it is missing' : `it does not belong to ${aggregate}`)
  }

  /**
   * The numbers of the kinds that match the filters, or undefined if all match.
   *
   * @param count how many kinds there are now
   */
  kinds({ types, aggregates }: ReadAllOptions, count: number): readonly number[] | undefined {
    if (types === undefined && aggregates === undefined) return undefined
    if (this.#kindLast < count) this.#learnKinds()
    if (this.#kindLast < count) throw damaged('the kinds', `there are ${this.#kindLast}, and not ${count}`)
    return [...this.#kinds]
      .filter(([, kind]) => types === undefined || types.includes(kind.type))
      .filter(([, kind]) => aggregates === undefined || aggregates.includes(kind.aggregate))
      .map(([number]) => number)
  }

  #learnKinds(): void {
    const rows = allRows<[number, string, string, number, number]>(this.#statements.kindsBehind, this.#kindLast)
    for (const [number, aggregate, type, revision, checksum] of rows) {
      if (number !== this.#kindLast + 1 || checksum !== checksumOfValues(number, aggregate, type, revision)) {
        throw damaged(`kind ${this.#kindLast + 1}`, 'it is missing or damaged')
      }
      this.#kinds.set(number, {
        aggregate: this.#aggregate(aggregate),
        type,
        revision,
        seed: seedOfKind(type, revision),
      })
      this.#kindLast = number
    }
  }

  #aggregate(text: string): string {
    const known = this.#aggregates.get(text)
    if (known === undefined) this.#aggregates.set(text, text)
    return known ?? text
  }

  #learnStream(number: number): KnownStream {
    if (this.#streams.size >= streamsMax) this.#streams.clear()
    const row = oneRow<[string, string]>(this.#statements.streamId, number)
    if (typeof row?.[0] !== 'string' || typeof row[1] !== 'string') throw damaged(`stream ${number}`, 'it is missing')
    const id: StreamId = Object.freeze({ aggregate: this.#aggregate(row[0]), id: row[1] })
    const stream = { number, id, seed: seedOfStream(id) }
    this.#streams.set(number, stream)
    return stream
  }
}

function isSame(a: StreamId, b: StreamId): boolean {
  return a.aggregate === b.aggregate && a.id === b.id
}
