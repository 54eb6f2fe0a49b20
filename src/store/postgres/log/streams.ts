/** Calls for many streams at once: where they end, and reservations. */

import type { StreamId } from '../../../domain/stream.ts'
import type { StreamEnd } from '../../store.ts'
import { isText, numbersOf, texts } from '../database/binary-arrays.ts'
import { unsigned } from '../database/checksum.ts'
import type { Access, Row } from '../database/database.ts'
import { isLockTimeout } from '../database/failure.ts'

/** @param schema quoted */
export const streamStatements = (schema: string): { readonly ends: string; readonly reserve: string } => ({
  ends: `SELECT e.sequences, e.checksums FROM ${schema}.stream_ends($1, $2) e`,
  reserve: `SELECT ${schema}.reserve_streams($1, $2, $3, $4)`,
})

export class Streams {
  readonly #access: Access
  readonly #statements: ReturnType<typeof streamStatements>

  constructor(access: Access, statements: ReturnType<typeof streamStatements>) {
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
