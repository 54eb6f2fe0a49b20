/**
 * The PostgreSQL store's floor: its own rows, inserted by one statement a batch, a transaction of its own, into the
 * same tables with the same indexes (made by opening a store in a schema beside it). One connection, prepared
 * statements, arrays in binary form; nothing is looked up, checked or locked. The bank's events carry no tags, so their
 * table stays empty.
 */
import type { Client } from 'pg'
import { bigints, integers, texts } from '../../src/store/postgres/database/binary-arrays.ts'
import { postgres } from '../../src/store/postgres/index.ts'
import { connect, dropSchema } from '../location.ts'
import type { Place } from '../setting.ts'
import { type Replayed, timed } from './timed.ts'

/** A row as texts, as they come. */
type Row = readonly (string | null)[]

/** A column of the events: the type it is sent as, and what is stored of it if that is not the value itself. */
interface Column {
  readonly name: string
  readonly type: 'bigint' | 'integer' | 'text'
  readonly stored?: string
}

const columns: readonly Column[] = [
  { name: 'position', type: 'bigint' },
  { name: 'stream', type: 'bigint' },
  { name: 'sequence', type: 'bigint' },
  { name: 'recorded_at', type: 'bigint' },
  { name: 'kind', type: 'integer' },
  { name: 'revision', type: 'bigint' },
  // Only a commit's first event has these; the others are sent a zero.
  { name: 'commit_size', type: 'integer', stored: 'nullif(e.commit_size, 0)' },
  { name: 'commit_checksum', type: 'integer', stored: 'nullif(e.commit_checksum, 0)' },
  { name: 'command_digest', type: 'bigint', stored: 'nullif(e.command_digest, 0)' },
  { name: 'size', type: 'integer' },
  { name: 'checksum', type: 'integer' },
  { name: 'commit_id', type: 'text' },
  { name: 'command', type: 'text' },
  { name: 'data', type: 'text', stored: 'e.data::json' },
  { name: 'metadata', type: 'text', stored: 'e.metadata::json' },
  { name: 'tags', type: 'text', stored: 'e.tags::text[]' },
]
const names = columns.map(({ name }) => name)
const streamAt = names.indexOf('stream')
const sizeAt = names.indexOf('commit_size')

/** A connection that gives every value as a text, and the schema as SQL takes it. */
export interface Bare {
  readonly client: Client
  readonly schema: string
  /** Gives the rows of a statement, which is prepared under the name. */
  readonly rows: (name: string, text: string, values?: unknown[]) => Promise<Row[]>
}

/** Connects to a place's server. @param path the schema, if it is not the place's */
export async function connectBare(place: Place, path = place.path): Promise<Bare> {
  const client = await connect(place.url)
  await client.query("SET mneme.writing = 'on'")
  const types = { getTypeParser: () => (text: unknown) => text }
  return {
    client,
    schema: client.escapeIdentifier(path),
    rows: async (name, text, values = []) => (await client.query({ name, text, values, rowMode: 'array', types })).rows,
  }
}

/** Makes a schema as a store has it. */
export async function makeSchema(url: string, schema: string): Promise<void> {
  const store = await postgres(url, { schema, listen: false }).open({ warn: () => {}, now: Date.now })
  await store.close()
}

/** Inserts the measured part of a closed store again, into a schema that is made for it. */
export async function replayInserts(place: Place): Promise<Replayed> {
  const path = `${place.path}-floor`
  await makeSchema(place.url, path)
  const source = await connectBare(place)
  const select = (what: string, from: string) =>
    source.rows('', `SELECT ${what} FROM ${source.schema}.${from} ORDER BY 1`)
  const kinds = await select('number, aggregate, type', 'kinds')
  const streams = await select('number, aggregate, id', 'streams')
  const events = await select(names.join(), 'events')
  await source.client.end()
  const target = await connectBare(place, path)
  for (const kind of kinds) {
    await target.rows('', `INSERT INTO ${target.schema}.kinds OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3)`, [...kind])
  }
  const insert = inserting(target, streams, events)
  await insert.commits(place.commitsBefore())
  const replayed = await timed('the same rows: one `unnest` a batch, one connection', place, (index) =>
    insert.commits(place.batches[index]!.commits),
  )
  await target.client.end()
  await dropSchema(place.url, path)
  if (insert.done() !== events.length) {
    throw new Error(`The log has ${events.length} events, but the batches that were seen have ${insert.done()}`)
  }
  return replayed
}

/** Inserts the events in order, so many commits at a time, and each stream with its first event. */
function inserting({ schema, rows }: Bare, streams: readonly Row[], events: readonly Row[]): Inserting {
  const { insertEvents, insertStreams } = statementsIn(schema)
  const waiting = new Map(streams.map((stream) => [stream[0], stream]))
  let next = 0
  const commits = async (count: number): Promise<void> => {
    if (count === 0) return
    const first = next
    for (let left = count; left > 0 && next < events.length; left--) next += Number(events[next]![sizeAt])
    const batch = events.slice(first, next)
    const values = columns.map(({ type }, i) => arrayOf(type, batch, i))
    const fresh: Row[] = []
    for (const event of batch) {
      const stream = waiting.get(event[streamAt]!)
      if (stream === undefined) continue
      fresh.push(stream)
      waiting.delete(stream[0]!)
    }
    if (fresh.length === 0) {
      await rows('events', insertEvents, values)
      return
    }
    values.push(arrayOf('bigint', fresh, 0), arrayOf('text', fresh, 1), arrayOf('text', fresh, 2))
    await rows('both', `WITH made AS (${insertStreams}) ${insertEvents}`, values)
  }
  return { commits, done: () => next }
}

interface Inserting {
  readonly commits: (count: number) => Promise<void>
  /** How many events have been inserted. */
  readonly done: () => number
}

function statementsIn(schema: string): { readonly insertEvents: string; readonly insertStreams: string } {
  const arrays = columns.map(({ type }, i) => `$${i + 1}::${type}[]`)
  const stored = columns.map((column) => column.stored ?? `e.${column.name}`)
  const [number, aggregate, id] = [1, 2, 3].map((i) => `$${columns.length + i}`)
  return {
    insertEvents: `INSERT INTO ${schema}.events (${names}) SELECT ${stored} FROM unnest(${arrays}) e (${names})`,
    insertStreams: `INSERT INTO ${schema}.streams (number, aggregate, id) OVERRIDING SYSTEM VALUE
      SELECT * FROM unnest(${number}::bigint[], ${aggregate}::text[], ${id}::text[])`,
  }
}

function arrayOf(type: Column['type'], rows: readonly Row[], column: number): Buffer {
  if (type === 'text') return texts(rows.map((row) => row[column]!))
  const numbers = rows.map((row) => Number(row[column] ?? 0))
  return type === 'bigint' ? bigints(numbers) : integers(numbers)
}
