/**
 * Loads the state of an aggregate: the newest usable snapshot, then the events after it. A snapshot is ignored if it is
 * outdated or unreadable, belongs to another log, or was made by other functions: the log is the truth. Long streams
 * are read in pages, and the event loop runs in between.
 */
import { decode } from '../domain/encoding.ts'
import { EventError } from '../domain/error.ts'
import { type AnyEventKind, type RecordedEvent, upcast } from '../domain/event.ts'
import { unmarked } from '../domain/reread.ts'
import type { StreamId } from '../domain/stream.ts'
import { Breath } from '../runtime/breath.ts'
import type { Environment } from '../runtime/environment.ts'
import { deepFreeze } from '../runtime/freeze.ts'
import type { Observing } from '../runtime/observing.ts'
import type { Warn } from '../runtime/warning.ts'
import { boundAfter } from '../store/range.ts'
import type { EventStore, SnapshotStore, StoredEvent } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import { evolved } from './evolved.ts'

/** A state, and the last event that it contains. */
export interface LoadedState {
  readonly state: unknown
  readonly sequence: number
  /** The position of the last event; 0 if there is none. */
  readonly position: number
  /** The checksum of the last event. */
  readonly checksum: number
}

/** What an instance has before it is loaded. */
export const notLoaded: LoadedState = Object.freeze({ state: undefined, sequence: 0, position: 0, checksum: 0 })

/** The parts that loading needs. */
export interface Sources {
  readonly events: EventStore
  readonly snapshots: SnapshotStore
  readonly environment: Environment
  readonly warn: Warn
  /** Absent if nobody observes. */
  readonly observing?: Observing | undefined
  /** The types for which an ignored snapshot was already warned about: one warning for each is enough. */
  readonly ignoredSnapshots: Set<AggregateType>
}

/** Where a state ends: at a sequence (included), at a time, or at the end of the stream. */
export interface Until {
  readonly sequence?: number
  /** Events from this one on are always replayed, so that `onEvent` gets them. No snapshot at or after it is used. */
  readonly fromSequence?: number
  /**
   * In milliseconds since 1970. The state ends at the last event that was recorded at this time or before. Clocks can
   * jump, so an event before that one may have been recorded later than this time.
   */
  readonly timeMs?: number
}

/** The stream does not contain the last event of a known state: the log was replaced. */
export class StreamReplaced extends Error {
  override readonly name = 'StreamReplaced'
}

/** What was read so far, for an observer. */
interface Seen {
  events: number
  snapshot: number | undefined
}

/** Events in one read. */
const pageSize = 1000

/** The state before the first event. */
function initialState(type: AggregateType): LoadedState {
  return { state: deepFreeze(type.initial()), sequence: 0, position: 0, checksum: 0 }
}

/**
 * Loads the state of a stream, from its newest snapshot or from its first event.
 *
 * @param onEvent gets each event that is replayed; if a snapshot turns out to be unusable, all events again
 * @throws EventError, or what `evolve` or the store throws
 */
export function rehydrate(
  sources: Sources,
  type: AggregateType,
  stream: StreamId,
  until: Until = {},
  onEvent: OnEvent = () => {},
): Promise<LoadedState> {
  const load = (seen?: Seen) => fromSnapshotOrStart(sources, type, stream, until, onEvent, seen)
  return observed(sources.observing, stream, 0, load)
}

async function fromSnapshotOrStart(
  sources: Sources,
  type: AggregateType,
  stream: StreamId,
  until: Until,
  onEvent: OnEvent,
  seen: Seen | undefined,
): Promise<LoadedState> {
  const { sequence, timeMs, fromSequence } = until
  const atOrBefore = fromSequence === undefined ? sequence : fromSequence - 1
  const usable = type.snapshotEvery !== undefined && timeMs === undefined && atOrBefore !== 0
  const snapshot = usable ? await fromSnapshot(sources, type, stream, atOrBefore) : undefined
  if (snapshot !== undefined) {
    try {
      if (seen !== undefined) seen.snapshot = snapshot.sequence
      return await apply(sources, type, stream, snapshot, until, onEvent, seen)
    } catch (cause) {
      if (seen !== undefined) seen.snapshot = undefined
      if (cause instanceof StreamReplaced) ignore(sources, type, stream, 'does not belong to the stored events')
      else ignore(sources, type, stream, 'could not be used: applying later events failed', cause)
    }
  }
  return apply(sources, type, stream, initialState(type), until, onEvent, seen)
}

/**
 * Applies the events that follow a known state.
 *
 * @param onEvent gets each event with the state after it
 * @throws StreamReplaced if the known state is not of this stream
 */
export function catchUp(
  sources: Pick<Sources, 'events' | 'environment' | 'observing'>,
  type: AggregateType,
  stream: StreamId,
  known: LoadedState,
  until: Until = {},
  onEvent: OnEvent = () => {},
): Promise<LoadedState> {
  const load = (seen?: Seen) => apply(sources, type, stream, known, until, onEvent, seen)
  return observed(sources.observing, stream, known.sequence, load)
}

type OnEvent = (event: StoredEvent, loaded: LoadedState) => void

/** Loads, and tells an observer. @param from the sequence that is known already */
async function observed(
  observing: Observing | undefined,
  stream: StreamId,
  from: number,
  load: (seen?: Seen) => Promise<LoadedState>,
): Promise<LoadedState> {
  if (observing === undefined) return load()
  const span = observing.start('load', { stream, from })
  const seen: Seen = { events: 0, snapshot: undefined }
  try {
    const loaded = await load(seen)
    span.end(seen)
    return loaded
  } catch (error) {
    span.end({ ...seen, error })
    throw error
  }
}

async function apply(
  { events, environment }: Pick<Sources, 'events' | 'environment'>,
  type: AggregateType,
  stream: StreamId,
  known: LoadedState,
  until: Until,
  onEvent: OnEvent,
  seen: Seen | undefined,
): Promise<LoadedState> {
  const { sequence: last = Number.POSITIVE_INFINITY, timeMs } = until
  const breath = new Breath(environment)
  let loaded = known
  let chosen = known
  // The last known event is read again, to see whether this is still the same log.
  for (let from = Math.max(known.sequence, 1); ; from = loaded.sequence + 1) {
    const page = await events.readStream(stream, { from, to: boundAfter(last) }, { limit: pageSize })
    const isFirst = from === known.sequence
    if (isFirst && page[0]?.checksum !== known.checksum) throw new StreamReplaced()
    if (isFirst) loaded = { ...known, position: page[0]!.position }
    if (seen !== undefined) seen.events += page.length - (isFirst ? 1 : 0)
    for (let i = isFirst ? 1 : 0; i < page.length; i++) {
      if (i % 64 === 0) await breath.pause()
      const event = page[i]!
      const { sequence, position, checksum } = event
      loaded = { state: applyStored(type, loaded.state, event), sequence, position, checksum }
      onEvent(event, loaded)
      if (timeMs !== undefined && event.recordedAt <= timeMs) chosen = frozen(loaded)
    }
    if (page.length < pageSize) return timeMs === undefined ? frozen(loaded) : chosen
  }
}

function frozen(loaded: LoadedState): LoadedState {
  const state = deepFreeze(loaded.state)
  return state === loaded.state ? loaded : { ...loaded, state }
}

function applyStored(type: AggregateType, state: unknown, stored: StoredEvent): unknown {
  const fold = type.folds.get(stored.type)
  if (fold === undefined) {
    const { type: event, stream, sequence } = stored
    const facts = { aggregate: type.name, event, known: [...type.folds.keys()], stream, sequence }
    throw new EventError('EVENT_UNDECLARED', facts)
  }
  // 0, as when the event was decided: no aggregate can depend on a position.
  const event = asRecorded(stored, upcast(fold.kind, stored.revision, stored.data), 0)
  return evolved(fold, state, event)
}

/**
 * A stored event as callers get it: upcast, with data that is the output of the newest schema.
 *
 * @throws EventError
 */
export function recordedEvent(folds: AggregateType['folds'] | undefined, stored: StoredEvent): RecordedEvent {
  return eventOf(folds?.get(stored.type)?.kind, stored)
}

/** The same for a known kind. Without a kind, the data is as it is stored. */
export function eventOf(kind: AnyEventKind | undefined, stored: StoredEvent): RecordedEvent {
  const data = kind === undefined ? unmarked(stored.data) : upcast(kind, stored.revision, stored.data)
  return asRecorded(stored, data, stored.position)
}

/** Names each property, because a spread would cost more than the rest of the work. */
function asRecorded(stored: StoredEvent, data: unknown, position: number): RecordedEvent {
  const { type, stream, sequence, metadata, tags, revision, commitId } = stored
  const recordedAt = new Date(stored.recordedAt)
  return { type, data, stream, sequence, position, recordedAt, metadata, tags, revision, commitId }
}

async function fromSnapshot(
  sources: Sources,
  type: AggregateType,
  stream: StreamId,
  atOrBefore: number | undefined,
): Promise<LoadedState | undefined> {
  try {
    const snapshot = await sources.snapshots.loadSnapshot(stream, atOrBefore === undefined ? {} : { atOrBefore })
    if (snapshot === undefined) return undefined
    const { sequence, stateRevision, fingerprint, checksum } = snapshot
    if (stateRevision !== type.stateRevision)
      return ignore(sources, type, stream, `has state revision ${stateRevision}, not ${type.stateRevision}`)
    if (fingerprint !== type.fingerprint) return ignore(sources, type, stream, 'was made by other functions')
    // Its position comes from the event, which is read again to see that this is the same log.
    return { state: deepFreeze(decode(snapshot.state)), sequence, position: 0, checksum }
  } catch (cause) {
    return ignore(sources, type, stream, 'could not be read', cause)
  }
}

/** Warns of an ignored snapshot, once for each aggregate type. The next snapshot replaces it. */
function ignore(
  { warn, ignoredSnapshots }: Sources,
  type: AggregateType,
  { aggregate, id }: StreamId,
  reason: string,
  cause?: unknown,
): undefined {
  if (ignoredSnapshots.has(type)) return
  ignoredSnapshots.add(type)
  const message = `The snapshot of ${aggregate} ${JSON.stringify(id)} ${reason}. Its events are replayed instead. There is no further warning for other snapshots of ${aggregate}`
  warn({ code: 'SNAPSHOT_IGNORED', message, cause })
}
