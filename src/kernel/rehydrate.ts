/**
 * From events back to a state: the newest good snapshot, then the events behind it. A snapshot that is outdated,
 * unreadable, of another log or of other functions is left out; the log is the truth. Long streams are read in pieces
 * between which the event loop turns.
 */
import { decode } from '../domain/encoding.ts'
import { EventError } from '../domain/error.ts'
import { type AnyEventKind, type RecordedEvent, upcast } from '../domain/event.ts'
import { unmarked } from '../domain/reread.ts'
import type { StreamId } from '../domain/stream.ts'
import { Breath } from '../runtime/breath.ts'
import type { Environment } from '../runtime/environment.ts'
import { deepFreeze } from '../runtime/freeze.ts'
import type { Warn } from '../runtime/warning.ts'
import type { EventStore, SnapshotStore, StoredEvent } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import { evolved } from './evolved.ts'

/** A state, and the last event that is in it. */
export interface LoadedState {
  readonly state: unknown
  readonly sequence: number
  /** Of the event at `sequence`; 0 if there is none. */
  readonly position: number
  /** Of the same event. */
  readonly checksum: number
}

/** What rehydration reads from. */
export interface Sources {
  readonly events: EventStore
  readonly snapshots: SnapshotStore
  readonly environment: Environment
  readonly warn: Warn
  /** The types of which a snapshot was ignored already: one warning for each is enough. */
  readonly ignoredSnapshots: Set<AggregateType>
}

/** How far a state goes: to a sequence (included), to a time, or to the end. */
export interface Until {
  readonly sequence?: number
  /** The first event that is to be replayed at any rate, so that somebody is told of it: no snapshot holds it. */
  readonly fromSequence?: number
  /**
   * In milliseconds since 1970: the longest beginning of the stream whose last event was not recorded later. Clocks
   * jump, so an event within it may have been recorded later than the time.
   */
  readonly timeMs?: number
}

/** The stream does not hold the event that a known state ends with: the log was replaced. */
export class StreamReplaced extends Error {
  override readonly name = 'StreamReplaced'
}

/** Events read at once. */
const pageSize = 1000

/** The state before the first event. */
function unborn(type: AggregateType): LoadedState {
  return { state: deepFreeze(type.initial()), sequence: 0, position: 0, checksum: 0 }
}

/**
 * The state of a stream, from its newest snapshot or from its first event.
 *
 * @param onEvent told each event that is replayed, from the beginning again where a snapshot turns out to be of no use
 * @throws EventError, or whatever `evolve` or the store throws
 */
export async function rehydrate(
  sources: Sources,
  type: AggregateType,
  stream: StreamId,
  until: Until = {},
  onEvent?: (event: StoredEvent, standing: LoadedState) => void,
): Promise<LoadedState> {
  const { sequence, timeMs, fromSequence } = until
  const atOrBefore = fromSequence === undefined ? sequence : fromSequence - 1
  const usable = type.snapshotEvery !== undefined && timeMs === undefined && atOrBefore !== 0
  const snapshot = usable ? await fromSnapshot(sources, type, stream, atOrBefore) : undefined
  if (snapshot !== undefined) {
    try {
      return await catchUp(sources, type, stream, snapshot, until, onEvent)
    } catch (cause) {
      if (cause instanceof StreamReplaced)
        ignore(sources, type, stream, 'does not belong to the events that are stored')
      else ignore(sources, type, stream, 'cannot be gone on from', cause)
    }
  }
  return catchUp(sources, type, stream, unborn(type), until, onEvent)
}

/**
 * The state after the events that follow a known one.
 *
 * @param onEvent told each event with the standing after it, for those who want what lies between
 * @throws StreamReplaced if the known one is not of this stream
 */
export async function catchUp(
  { events, environment }: Pick<Sources, 'events' | 'environment'>,
  type: AggregateType,
  stream: StreamId,
  known: LoadedState,
  until: Until = {},
  onEvent: (event: StoredEvent, standing: LoadedState) => void = () => {},
): Promise<LoadedState> {
  const { sequence: last = Number.POSITIVE_INFINITY, timeMs } = until
  const breath = new Breath(environment)
  let standing = known
  let chosen = known
  // The event that is known is read again, and shows whether it is still the same log.
  for (let from = Math.max(known.sequence, 1); ; from = standing.sequence + 1) {
    const page = await events.readStream(stream, { from, to: last + 1 }, { limit: pageSize })
    const isFirst = from === known.sequence
    if (isFirst && page[0]?.checksum !== known.checksum) throw new StreamReplaced()
    if (isFirst) standing = { ...known, position: page[0]!.position }
    for (let i = isFirst ? 1 : 0; i < page.length; i++) {
      if (i % 64 === 0) await breath.pause()
      const event = page[i]!
      const { sequence, position, checksum } = event
      standing = { state: applyStored(type, standing.state, event), sequence, position, checksum }
      onEvent(event, standing)
      if (timeMs !== undefined && event.recordedAt <= timeMs) chosen = frozen(standing)
    }
    if (page.length < pageSize) return timeMs === undefined ? frozen(standing) : chosen
  }
}

function frozen(standing: LoadedState): LoadedState {
  const state = deepFreeze(standing.state)
  return state === standing.state ? standing : { ...standing, state }
}

function applyStored(type: AggregateType, state: unknown, stored: StoredEvent): unknown {
  const fold = type.folds.get(stored.type)
  if (fold === undefined) {
    const { type: event, stream, sequence } = stored
    const facts = { aggregate: type.name, event, known: [...type.folds.keys()], stream, sequence }
    throw new EventError('EVENT_UNDECLARED', facts)
  }
  // As when it was decided: no aggregate can come to depend on a position.
  const event = toldEvent(stored, upcast(fold.kind, stored.revision, stored.data), 0)
  return evolved(fold, state, event)
}

/**
 * A stored event as it is handed out: upcast, with its data as the newest schema's output.
 *
 * @throws EventError
 */
export function recordedEvent(folds: AggregateType['folds'] | undefined, stored: StoredEvent): RecordedEvent {
  return eventOf(folds?.get(stored.type)?.kind, stored)
}

/** The same for one of a kind; without a kind its data is as it is stored. */
export function eventOf(kind: AnyEventKind | undefined, stored: StoredEvent): RecordedEvent {
  const data = kind === undefined ? unmarked(stored.data) : upcast(kind, stored.revision, stored.data)
  return toldEvent(stored, data, stored.position)
}

/** Each property by its name: a spread would cost more than all the rest of an event. */
function toldEvent(stored: StoredEvent, data: unknown, position: number): RecordedEvent {
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
      return ignore(sources, type, stream, `is of state revision ${stateRevision}, not ${type.stateRevision}`)
    if (fingerprint !== type.fingerprint) return ignore(sources, type, stream, 'was made by other functions')
    // Its position comes with the event, which is read again to see that it is the same log.
    return { state: deepFreeze(decode(snapshot.state)), sequence, position: 0, checksum }
  } catch (cause) {
    return ignore(sources, type, stream, 'could not be read', cause)
  }
}

/** Says once for a type of aggregate that a snapshot is left out; the next one replaces it. */
function ignore(
  { warn, ignoredSnapshots }: Sources,
  type: AggregateType,
  { aggregate, id }: StreamId,
  reason: string,
  cause?: unknown,
): undefined {
  if (ignoredSnapshots.has(type)) return
  ignoredSnapshots.add(type)
  const message = `The snapshot of ${aggregate} ${JSON.stringify(id)} ${reason}; its events are replayed. Other snapshots of ${aggregate} may be left out as well, without a further warning`
  warn({ code: 'SNAPSHOT_IGNORED', message, cause })
}
