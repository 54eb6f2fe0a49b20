/**
 * From events back to a state: the newest good snapshot, then the events behind it. A snapshot that is outdated, unreadable or
 * ahead of its stream is reported and left out; the log is the truth.
 */
import { decode } from '../domain/encoding.ts'
import { EventError } from '../domain/error.ts'
import { type AnyEventKind, lift, type RecordedEvent } from '../domain/event.ts'
import type { StreamId } from '../domain/stream.ts'
import type { EventStore, SnapshotStore, StoredEvent } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import { evolved } from './evolved.ts'
import { deepFreeze } from './freeze.ts'
import type { Warn } from './warning.ts'

/** A state, and the last event that is in it. */
export interface Standing {
  readonly state: unknown
  readonly sequence: number
  /** Of the event at `sequence`; 0 if there is none. */
  readonly position: number
}

/** What rehydration reads from. */
export interface Sources {
  readonly events: EventStore
  readonly snapshots: SnapshotStore
  readonly warn: Warn
}

/** How far a state goes: to a sequence (included), to a time (included), or to the end. */
export interface Until {
  readonly sequence?: number
  /** In milliseconds since 1970. */
  readonly timeMs?: number
}

/** Events read at once. */
const pageSize = 1000

/** The state before the first event. */
function unborn(type: AggregateType): Standing {
  return { state: deepFreeze(type.initial()), sequence: 0, position: 0 }
}

/**
 * The state of a stream, from its newest snapshot or from its first event.
 *
 * @throws EventError, or whatever `evolve` or the store throws
 */
export async function rehydrate(
  sources: Sources,
  type: AggregateType,
  stream: StreamId,
  until: Until = {},
  useSnapshots = true,
): Promise<Standing> {
  const usable = useSnapshots && type.snapshotEvery !== undefined && until.timeMs === undefined
  const snapshot = usable ? await fromSnapshot(sources, type, stream, until.sequence) : undefined
  return catchUp(sources, type, stream, snapshot ?? unborn(type), until)
}

/** The state after the events that follow a known one. */
export async function catchUp(
  { events }: Pick<Sources, 'events'>,
  type: AggregateType,
  stream: StreamId,
  known: Standing,
  until: Until = {},
): Promise<Standing> {
  const { sequence: last = Number.POSITIVE_INFINITY, timeMs = Number.POSITIVE_INFINITY } = until
  let { state, sequence, position } = known
  for (;;) {
    const page = await events.readStream(stream, { from: sequence + 1, to: last + 1 }, { limit: pageSize })
    for (const event of page) {
      if (event.recordedAt > timeMs) return { state: deepFreeze(state), sequence, position }
      state = applyStored(type, state, event)
      sequence = event.sequence
      position = event.position
    }
    if (page.length < pageSize) return { state: deepFreeze(state), sequence, position }
  }
}

function applyStored(type: AggregateType, state: unknown, stored: StoredEvent): unknown {
  const fold = type.folds.get(stored.type)
  if (fold === undefined) {
    throw new EventError('EVENT_UNDECLARED', {
      aggregate: type.name,
      event: stored.type,
      known: [...type.folds.keys()],
    })
  }
  const data = lift(fold.kind, stored.revision, stored.data)
  const { stream, sequence, metadata, tags, revision, commitId } = stored
  const recordedAt = new Date(stored.recordedAt)
  // As when it was decided: no aggregate can come to depend on a position.
  const event = {
    type: stored.type,
    data,
    stream,
    sequence,
    position: 0,
    recordedAt,
    metadata,
    tags,
    revision,
    commitId,
  }
  return evolved(fold, state, event)
}

/**
 * A stored event as it is handed out: lifted, with its data as the newest schema's output.
 *
 * @throws EventError
 */
export function recordedEvent(folds: AggregateType['folds'] | undefined, stored: StoredEvent): RecordedEvent {
  return eventOf(folds?.get(stored.type)?.kind, stored)
}

/** The same for one of a kind; without a kind its data is as it is stored. */
export function eventOf(kind: AnyEventKind | undefined, stored: StoredEvent): RecordedEvent {
  const data = kind === undefined ? stored.data : lift(kind, stored.revision, stored.data)
  return { ...stored, data, recordedAt: new Date(stored.recordedAt) }
}

async function fromSnapshot(
  { events, snapshots, warn }: Sources,
  type: AggregateType,
  stream: StreamId,
  atOrBefore: number | undefined,
): Promise<Standing | undefined> {
  const ignore = (reason: string, cause?: unknown): undefined => {
    const message = `The snapshot of ${stream.aggregate} ${JSON.stringify(stream.id)} ${reason}; its events are replayed`
    warn({ code: 'SNAPSHOT_IGNORED', message, cause })
  }
  try {
    const snapshot = await snapshots.loadSnapshot(stream, atOrBefore === undefined ? {} : { atOrBefore })
    if (snapshot === undefined) return undefined
    const { sequence, stateRevision } = snapshot
    if (stateRevision !== type.stateRevision)
      return ignore(`is of state revision ${stateRevision}, not ${type.stateRevision}`)
    const [witness] = await events.readStream(stream, { from: sequence, to: sequence + 1 }, { limit: 1 })
    if (witness === undefined) return ignore(`is at sequence ${sequence}, where the stream has no event`)
    return { state: deepFreeze(decode(snapshot.state)), sequence, position: witness.position }
  } catch (cause) {
    return ignore('could not be read', cause)
  }
}
