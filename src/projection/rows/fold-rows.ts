/**
 * Folds a batch of events into rows, without I/O. The event loop turns between events. The breath's signal ends the
 * work with its reason.
 *
 * The initial row is frozen as states are (decision 0005), because it may be one object for all rows. An event that
 * belongs to several rows is frozen too. Other rows are not frozen: only the next fold sees them before they are
 * stored.
 */
import type { Fold } from '../../domain/aggregate.ts'
import { encode } from '../../domain/encoding.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import type { HandledKinds } from '../../domain/handled-kinds.ts'
import type { Json } from '../../domain/json.ts'
import type { AnyProjection } from '../../domain/projection.ts'
import { carrying } from '../../domain/sealed-value.ts'
import { eventOf } from '../../kernel/rehydrate.ts'
import type { Breath } from '../../runtime/breath.ts'
import { freezeParts } from '../../runtime/freeze.ts'
import type { Row, StoredEvent } from '../../store/store.ts'
import { isOfStore } from '../failures/blame.ts'
import { checkRowKey, storedKey } from '../stored/row-key.ts'
import { decodeRow, type RowPlace } from '../stored/row-value.ts'

/** An event with the keys of the rows that it belongs to. */
export interface Keyed {
  readonly stored: StoredEvent
  readonly event: RecordedEvent
  readonly fold: Fold
  readonly keys: readonly string[]
}

/** An event that cannot be handled, with the cause. */
export interface Failed {
  readonly event: Pick<StoredEvent, 'position' | 'type' | 'stream'>
  readonly cause: unknown
}

/** The events of a batch with the keys of their rows, and the events that cannot be read. */
export interface KeyedBatch {
  readonly keyed: readonly Keyed[]
  readonly failed: readonly Failed[]
}

/**
 * Upcasts events, and asks the projection for the keys of their rows.
 *
 * @param untilFailed whether the batch ends before the first event that cannot be read
 */
export async function keyEvents(
  projection: AnyProjection,
  kinds: HandledKinds<Fold>,
  events: readonly StoredEvent[],
  untilFailed: boolean,
  breath: Breath,
): Promise<KeyedBatch> {
  const keyed: Keyed[] = []
  const failed: Failed[] = []
  for (const stored of events) {
    if (breath.isDue) await breath.pause()
    try {
      keyed.push(keyEvent(projection, kinds.of(stored)!, stored))
    } catch (cause) {
      failed.push({ event: stored, cause })
      if (untilFailed) break
    }
  }
  return { keyed, failed }
}

/** Upcasts an event, and asks the projection for the keys of its rows. */
export function keyEvent(projection: AnyProjection, fold: Fold, stored: StoredEvent): Keyed {
  const event = eventOf(fold.kind, stored)
  const keys = carrying(() => projection.keysOf(event))
  if (keys.length > 1) freezeEvent(event)
  checkMoment(event, stored.recordedAt)
  keys.forEach(checkRowKey)
  return { stored, event, fold, keys }
}

/** Freezes an event that several rows see. Its date is not frozen but checked, which is much cheaper. */
function freezeEvent(event: RecordedEvent): void {
  const data = freezeParts(event.data).value
  if (data !== event.data) (event as { data: unknown }).data = data
  const { stream, tags, metadata } = Object.freeze(event)
  for (const part of [stream, tags, metadata]) freezeParts(part)
}

/** @throws TypeError if a function has changed the event's date */
function checkMoment({ type, recordedAt }: RecordedEvent, nowMs: number): void {
  if (recordedAt.getTime() === nowMs) return
  Date.prototype.setTime.call(recordedAt, nowMs)
  throw new TypeError(`a function for ${type} changed the event's recordedAt in place`)
}

/** Makes the events of a batch again. An event that only one row sees is not frozen, so a fold may have changed it. */
function again(keyed: readonly Keyed[]): readonly Keyed[] {
  return keyed.map((each) => (each.keys.length > 1 ? each : { ...each, event: eventOf(each.fold.kind, each.stored) }))
}

/** Rows as they are stored, by their stored keys, and where. */
export interface StoredRows {
  readonly place: RowPlace
  readonly values: ReadonlyMap<string, Json | undefined>
}

/** The rows after a batch. If an event fails, the rows after the events before it. */
export interface FoldedRows {
  readonly rows: readonly Row[]
  readonly failed: Failed | undefined
}

/**
 * Folds a batch into its rows.
 *
 * @throws StoreError `STORE_CORRUPT` if a stored row is damaged, which is not the fault of an event
 */
export async function foldRows(
  projection: AnyProjection,
  keyed: readonly Keyed[],
  stored: StoredRows,
  breath: Breath,
): Promise<FoldedRows> {
  let failed: FoldedRows['failed']
  for (let rest = keyed; ; ) {
    const attempt = await foldAll(projection, rest, stored, breath)
    if (attempt.failedAt === undefined) return { rows: attempt.rows, failed }
    failed = { event: rest[attempt.failedAt]!.event, cause: attempt.cause }
    rest = again(rest.slice(0, attempt.failedAt))
  }
}

/** An event that is left out because it failed, or because it queues behind another event with the key `behind`. */
export type LeftOut = Keyed & ({ readonly cause: unknown } | { readonly behind: string })

/** The rows after a batch, without the events that were left out. */
export interface ParkingFold {
  readonly rows: readonly Row[]
  readonly leftOut: readonly LeftOut[]
}

/**
 * Folds a batch into its rows. Leaves out events that fail, and later events that share a key with an event that was
 * left out.
 *
 * @param blocks whether an event that is already parked has a key
 * @throws StoreError as `foldRows`
 */
export async function foldParking(
  projection: AnyProjection,
  keyed: readonly Keyed[],
  stored: StoredRows,
  blocks: (key: string) => boolean,
  breath: Breath,
): Promise<ParkingFold> {
  const failures = new Map<StoredEvent, unknown>()
  for (let all = keyed; ; all = again(all)) {
    const { kept, leftOut } = partition(all, failures, blocks)
    const attempt = await foldAll(projection, kept, stored, breath)
    if (attempt.failedAt === undefined) return { rows: attempt.rows, leftOut }
    failures.set(kept[attempt.failedAt]!.stored, attempt.cause)
  }
}

/**
 * Divides a batch into events that can be folded, and events that failed or that queue behind a failed or parked event.
 */
export function partition(
  keyed: readonly Keyed[],
  failures: ReadonlyMap<StoredEvent, unknown>,
  blocks: (key: string) => boolean,
): { readonly kept: readonly Keyed[]; readonly leftOut: readonly LeftOut[] } {
  const kept: Keyed[] = []
  const leftOut: LeftOut[] = []
  const blocked = new Set<string>()
  for (const each of keyed) {
    const behind = each.keys.find((key) => blocked.has(key) || blocks(key))
    if (behind !== undefined) leftOut.push({ ...each, behind })
    else if (failures.has(each.stored)) leftOut.push({ ...each, cause: failures.get(each.stored) })
    else {
      kept.push(each)
      continue
    }
    for (const key of each.keys) blocked.add(key)
  }
  return { kept, leftOut }
}

type Attempt =
  | { readonly failedAt: undefined; readonly rows: readonly Row[] }
  | { readonly failedAt: number; readonly cause: unknown }

async function foldAll(
  projection: AnyProjection,
  keyed: readonly Keyed[],
  stored: StoredRows,
  breath: Breath,
): Promise<Attempt> {
  const folded: Folded = new Map()
  for (let index = 0; index < keyed.length; index++) {
    if (breath.isDue) await breath.pause()
    try {
      foldEvent(projection, keyed[index]!, index, stored, folded)
    } catch (cause) {
      if (isOfStore(cause)) throw cause
      return { failedAt: index, cause }
    }
  }
  const rows: Row[] = []
  for (const [key, { row, last }] of folded) {
    if (breath.isDue) await breath.pause()
    try {
      rows.push(encodedRow(projection, key, row))
    } catch (cause) {
      return { failedAt: last, cause }
    }
  }
  return { failedAt: undefined, rows }
}

/** Rows that a batch has changed, by their keys, with the index of the last event that did. */
type Folded = Map<string, { row: unknown; last: number }>

/** Folds one event into its rows. @throws what a function of the projection throws */
function foldEvent(
  projection: AnyProjection,
  { event, fold, keys }: Keyed,
  index: number,
  stored: StoredRows,
  folded: Folded,
): void {
  const moment = event.recordedAt.getTime()
  for (const key of keys) {
    const known = folded.get(key)
    const row = known === undefined ? rowStored(stored, storedKey(key)) : known.row
    const before = row === undefined ? freezeParts(projection.initial(), true).value : row
    const told = keys.length === 1 ? event : withOwnDate(event)
    const after = carrying(() => fold.evolve(before, event.data, told))
    checkMoment(told, moment)
    if (known === undefined) folded.set(key, { row: after, last: index })
    else {
      known.row = after
      known.last = index
    }
  }
}

/**
 * The rows of one event after it, as they are stored.
 *
 * @throws what a function of the projection throws; InputError `DATA_NOT_JSON`
 */
export function foldOne(projection: AnyProjection, keyed: Keyed, stored: StoredRows): readonly Row[] {
  const folded: Folded = new Map()
  foldEvent(projection, keyed, 0, stored, folded)
  return Array.from(folded, ([key, { row }]) => encodedRow(projection, key, row))
}

function encodedRow(projection: AnyProjection, key: string, row: unknown): Row {
  const value = row === undefined ? undefined : encode(`The row ${key} of ${projection.name}`, row)
  return { key: storedKey(key), value }
}

/** Each row gets its own date, because a row may keep it. A fold that changes it in place then changes no other row. */
const withOwnDate = (event: RecordedEvent): RecordedEvent =>
  Object.freeze({ ...event, recordedAt: new Date(event.recordedAt) })

function rowStored({ place, values }: StoredRows, key: string): unknown {
  const value = values.get(key)
  return value === undefined ? undefined : decodeRow(place, key, value)
}
