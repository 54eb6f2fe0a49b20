/** The last message of a JetStream stream, and whether the batch that it was stored with ends there. */
import { again, type Connection, type Stored } from './connection.ts'

export interface Tail extends Stored {
  /** The name of its batch, and its place there, from 1. */
  readonly batch: string
  readonly place: number
  /** Whether it is the last message of its batch. */
  readonly isEnd: boolean
}

/** The last message, from the leader, if there is one. */
export async function tailOf(connection: Connection, stream: string): Promise<Tail | undefined> {
  const message = await connection.fromLeader(stream, { last_by_subj: '>' })
  if (message === undefined) return undefined
  const { headers, ...stored } = message
  const batch = headerIn(headers, 'Nats-Batch-Id')
  return {
    ...stored,
    batch: batch.endsWith(again) ? batch.slice(0, -again.length) : batch,
    place: Number(headerIn(headers, 'Nats-Batch-Sequence')),
    isEnd: batch === '' || headerIn(headers, 'Nats-Batch-Commit') !== '',
  }
}

const headerIn = (headers: string, name: string): string =>
  new RegExp(`^${name}: *(.*?)\\r?$`, 'm').exec(headers)?.[1] ?? ''
