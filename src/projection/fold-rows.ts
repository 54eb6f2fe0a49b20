/** One batch of a projection without I/O: from events and the rows as they are to the rows as they become. */
import { decode, encode } from '../domain/encoding.ts'
import { ProjectionError } from '../domain/error.ts'
import { lift, type RecordedEvent } from '../domain/event.ts'
import type { Json } from '../domain/json.ts'
import type { AnyProjection } from '../domain/projection.ts'
import { checkId } from '../domain/stream.ts'
import type { Row, StoredEvent } from '../store/store.ts'

/** An event that belongs to a row. */
interface Keyed {
  readonly event: RecordedEvent
  readonly key: string
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
      const key = projection.keyOf(event)
      if (key === undefined) continue
      if (!keys.has(key)) checkId('the key of a row', key)
      keys.add(key)
      keyed.push({ event, key })
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
  for (const [index, { event, key }] of keyed.entries()) {
    try {
      const known = folded.get(key)
      const before = known === undefined ? stored.get(key) : undefined
      const row = known?.row !== undefined ? known.row : before === undefined ? projection.initial() : decode(before)
      folded.set(key, { row: projection.folds.get(event.type)!.evolve(row, event.data, event), last: index })
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

function failureAt(
  { name: projection }: AnyProjection,
  { position, type: event }: Pick<StoredEvent, 'position' | 'type'>,
  cause: unknown,
): ProjectionError<'PROJECTION_FAILED'> {
  return new ProjectionError('PROJECTION_FAILED', { projection, position, event }, cause)
}
