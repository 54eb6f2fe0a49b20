/** Calls for many streams at once: where they end, and reservations. */

import type { StreamId } from '../../../domain/stream.ts'
import type { StreamEnd } from '../../store.ts'
import { type StreamList, type StreamQuery, wantedOf } from '../../stream-list.ts'
import { isText, numbersOf, texts } from '../database/binary-arrays.ts'
import { unsigned } from '../database/checksum.ts'
import type { Access, Row } from '../database/database.ts'
import { isLockTimeout } from '../database/failure.ts'

interface StreamStatements {
  readonly list: string
  readonly ends: string
  readonly reserve: string
}

/** @param schema quoted */
export const streamStatements = (schema: string): StreamStatements => ({
  list: `SELECT l.found_id, l.has_events FROM ${schema}.list_streams($1, $2, $3) l`,
  ends: `SELECT e.sequences, e.checksums FROM ${schema}.stream_ends($1, $2) e`,
  reserve: `SELECT ${schema}.reserve_streams($1, $2, $3, $4)`,
})

export class Streams {
  readonly #access: Access
  readonly #statements: StreamStatements

  constructor(access: Access, statements: StreamStatements) {
    this.#access = access
    this.#statements = statements
  }

  async ends(streams: readonly StreamId[]): Promise<readonly StreamEnd[]> {
    const known = streams.filter(canBe)
    if (known.length === 0) return streams.map(() => noEnd)
    const [row] = await this.#access.read(this.#statements.ends, columns(known))
    const [sequences, checksums] = row!.map((text) => numbersOf(text!)) as [readonly number[], readonly number[]]
    let next = 0
    return streams.map((stream) => {
      if (!canBe(stream)) return noEnd
      const i = next++
      return { sequence: sequences[i]!, checksum: unsigned(checksums[i]!) }
    })
  }

  async list(aggregate: string, { after = '', limit }: StreamQuery): Promise<StreamList> {
    if (!isText(aggregate) || !isText(after)) return { ids: [] }
    const wanted = wantedOf(limit)
    const rows = await this.#access.read(this.#statements.list, [aggregate, after, wanted])
    const isMore = rows.length === wanted
    const looked = isMore ? rows.slice(0, -1) : rows
    const ids = looked.filter(([, hasEvents]) => hasEvents !== null).map(([id]) => id!)
    return isMore ? { ids, next: looked.at(-1)![0]! } : { ids }
  }

  /** If another transaction holds one of the rows too long, no stream is reserved. */
  async reserve(streams: readonly StreamId[], writer: string, durationMs: number): Promise<readonly boolean[]> {
    if (streams.length === 0) return []
    let row: Row | undefined
    try {
      const values = [...columns(streams), writer, Math.ceil(durationMs)]
      ;[row] = await this.#access.write(this.#statements.reserve, values)
    } catch (error) {
      if (!isLockTimeout(error)) throw error
      return streams.map(() => false)
    }
    return row![0]!
      .slice(1, -1)
      .split(',')
      .map((given) => given === 't')
  }
}

const noEnd: StreamEnd = Object.freeze({ sequence: 0, checksum: 0 })

const canBe = ({ aggregate, id }: StreamId): boolean => isText(aggregate) && isText(id)

const columns = (streams: readonly StreamId[]) => [
  texts(streams.map(({ aggregate }) => aggregate)),
  texts(streams.map(({ id }) => id)),
]
