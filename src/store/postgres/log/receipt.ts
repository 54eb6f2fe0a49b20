/**
 * Reads and checks what is stored of a commit with its first event: where the commit is, and for which command it is.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { CommandMark } from '../../commit.ts'
import type { Receipt } from '../../store.ts'
import { noDigest } from '../database/append-function.ts'
import { hashOfCommit, hashOfStream, placed, unsigned } from '../database/checksum.ts'
import { damagedAt } from '../database/failure.ts'

/** A commit as the database returns it. Position and sequence are those of its last event. */
export type ReceiptRow = readonly [
  sequence: number,
  position: number,
  count: number,
  lastChecksum: number,
  checksum: number,
  digest: number,
  command: string | null,
]

/** @throws StoreError `STORE_CORRUPT` if the row is damaged */
export function receiptOf(schema: string, stream: StreamId, commitId: string, row: ReceiptRow): Receipt {
  const [sequence, position, count, lastChecksum, checksum, digest, name] = row
  const command: CommandMark | undefined = digest === noDigest || name === null ? undefined : { name, digest }
  const hash = hashOfCommit(hashOfStream(stream), commitId, count, command)
  if (placed(hash, sequence - count + 1, position - count + 1) !== checksum) {
    throw damagedAt(schema, `the commit at position ${position - count + 1}`, 'its checksum is wrong')
  }
  const receipt = { sequence, position, count, checksum: unsigned(lastChecksum) }
  return command === undefined ? receipt : { ...receipt, command }
}
