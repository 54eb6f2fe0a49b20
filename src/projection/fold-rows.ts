/** One batch of a projection without I/O: from events and the rows as they are to the rows as they become. */
import { decode, encode } from '../domain/encoding.ts'
import { ProjectionError } from '../domain/error.ts'
import { lift, type RecordedEvent } from '../domain/event.ts'
import type { Json } from '../domain/json.ts'
import type { AnyProjection } from '../domain/projection.ts'
import { checkId } from '../domain/stream.ts'
import type { Row, StoredEvent } from '../store/store.ts'

/** An event with the keys of the rows that it belongs to. */
interface Keyed {
  readonly event: RecordedEvent
  readonly keys: readonly string[]
}

/** The events of a batch with their rows' keys, up to the first that cannot be read. */
export interface KeyedBatch {
  readonly keyed: readonly Keyed[]
  readonly keys: readonly string[]
  readonly failure: ProjectionError<'PROJECTION_FAILED'> | undefined
}

/** Lifts events and asks for their rows. */
export function keyEvents(projection: AnyProjection, events: readonly StoredEvent[]): KeyedBatch {
  const keyed: Keyed[] = []
  const keys = new Set<string>()
  for (const stored of events) {
    try {
      const { kind } = projection.folds.get(stored.type)!
      const data = lift(kind, stored.revision, stored.data)
      const event: RecordedEvent = { ...stored, data, recordedAt: new Date(stored.recordedAt) }
      const own = projection.keysOf(event)
      for (const key of own) {
        if (!keys.has(key)) checkId('the key of a row', key)
        keys.add(key)
      }
      keyed.push({ event, keys: own })
    } catch (cause) {
      return { keyed, keys: [...keys], failure: failureAt(projection, stored, cause) }
    }
  }
  return { keyed, keys: [...keys], failure: undefined }
}

/** The rows after a batch; where an event fails, the rows after those before it. */
export interface FoldedRows {
  readonly rows: readonly Row[]
  readonly failure: ProjectionError<'PROJECTION_FAILED'> | undefined
}

/** Folds a batch into its rows, whose stored values are given by key. */
export function foldRows(
  projection: AnyProjection,
  keyed: readonly Keyed[],
  stored: ReadonlyMap<string, Json | undefined>,
): FoldedRows {
  let failure: FoldedRows['failure']
  for (let end = keyed.length; ; ) {
    const attempt = foldAll(projection, keyed.slice(0, end), stored)
    if (attempt.failedAt === undefined) return { rows: attempt.rows, failure }
    end = attempt.failedAt
    failure = failureAt(projection, keyed[end]!.event, attempt.cause)
  }
}

type Attempt =
  | { readonly failedAt: undefined; readonly rows: readonly Row[] }
  | { readonly failedAt: number; readonly cause: unknown }

function foldAll(
  projection: AnyProjection,
  keyed: readonly Keyed[],
  stored: ReadonlyMap<string, Json | undefined>,
): Attempt {
  const folded = new Map<string, { row: unknown; last: number }>()
  for (const [index, { event, keys }] of keyed.entries()) {
    try {
      for (const key of keys) {
        const row = rowBefore(folded.get(key), stored.get(key))
        folded.set(key, { row: projection.evolve(row, event), last: index })
      }
    } catch (cause) {
      return { failedAt: index, cause }
    }
  }
  const rows: Row[] = []
  for (const [key, { row, last }] of folded) {
    try {
      rows.push({ key, value: row === undefined ? undefined : encode(`The row ${key} of ${projection.name}`, row) })
    } catch (cause) {
      return { failedAt: last, cause }
    }
  }
  return { failedAt: undefined, rows }
}

/** What a row's next event starts from: what the batch has made of it, or what is stored. */
function rowBefore(folded: { readonly row: unknown } | undefined, stored: Json | undefined): unknown {
  if (folded !== undefined) return folded.row
  return stored === undefined ? undefined : decode(stored)
}

function failureAt(
  { name: projection }: AnyProjection,
  { position, type: event }: Pick<StoredEvent, 'position' | 'type'>,
  cause: unknown,
): ProjectionError<'PROJECTION_FAILED'> {
  return new ProjectionError('PROJECTION_FAILED', { projection, position, event }, cause)
}
