/**
 * A world beside the real one: a stream up to a sequence, in memory, with the domain running on it. Commands are
 * decided there exactly as in the real one, and nothing of them reaches the real store. So a command can be tried
 * before it is sent, or other commands than those that were.
 *
 * The events are copied, so a fork costs memory for each of them. Their sequences, times, ids and metadata are the
 * same; their positions are those of the fork. Only the one stream is there, and only aggregates run. Events can be
 * edited or left out on the way, to see what would be then.
 */
import {
  commit,
  domain as describe,
  type EventStore,
  type Json,
  memory,
  type Row,
  type Store,
  type StoredEvent,
  type StoreFactory,
  type StreamId,
} from '../../../src/index.ts'
import { changedStore } from './changed-store.ts'
import { type AnyDomain, type Inspection, type RunningDomain, running } from './inspection.ts'
import { readEvents } from './reading.ts'

/** One event of the copy, by its sequence in the real stream, is another, or is not there. */
export interface EventEdit {
  readonly sequence: number
  /**
   * Its data as they are stored. `[personal]` stands for the value that is really stored at that place. Without data
   * the event is left out, and those after it have lower sequences.
   */
  readonly data?: Json
}

export interface ForkOptions {
  /** Other code than that of the inspection, to see what it would have done. */
  readonly domain?: AnyDomain
  /** What was different in this world. */
  readonly edits?: readonly EventEdit[]
  readonly signal?: AbortSignal
}

/** The store in memory, and the domain that runs on it. */
export interface Fork extends Pick<RunningDomain, 'dispatch' | 'read' | 'history'>, AsyncDisposable {
  readonly stream: StreamId
  readonly store: EventStore
  /** The last sequence that was copied. */
  readonly sequence: number
}

/**
 * Forks a stream after the event with a sequence; after its last one by default, and before its first one with 0.
 *
 * @throws ToolsError `DOMAIN_NEEDED`; what the store throws
 */
export async function fork(
  inspection: Inspection,
  stream: StreamId,
  sequence: number = Number.POSITIVE_INFINITY,
  { domain = inspection.domain, edits = [], signal }: ForkOptions = {},
): Promise<Fork> {
  // Throws if there is no domain.
  await inspection.aggregates()
  const { target } = inspection
  const store = await memory().open({ warn: () => {}, now: Date.now })
  const edited = new Map(edits.map((edit) => [edit.sequence, edit]))
  const range = { to: sequence < Number.MAX_SAFE_INTEGER ? sequence + 1 : Number.POSITIVE_INFINITY }
  const events = readEvents(inspection.store, { stream, ...range, ...(signal && { signal }) })
  const copied = await copy(edits.length === 0 ? events : withEdits(events, edited), store)
  const keysOwner = target.keys === undefined ? undefined : await target.keys.open({ warn: () => {}, now: Date.now })
  const keys = factoryOf(readOnlyKeys(keysOwner ?? inspection.store))
  const { aggregates } = domain!
  const log = { warn: () => {} }
  const started = await running(describe({ aggregates }), { store: factoryOf(store), keys, projections: 'manual', log })
  return Object.freeze({
    stream,
    store,
    sequence: copied,
    dispatch: started.running.dispatch,
    read: started.running.read,
    history: started.running.history,
    async [Symbol.asyncDispose]() {
      await started.stop()
      await store.close()
      await keysOwner?.close()
    },
  })
}

/** Writes events into a store, commit by commit. @returns the last sequence */
async function copy(events: AsyncIterable<StoredEvent>, to: Store): Promise<number> {
  let sequence = 0
  let group: StoredEvent[] = []
  const flush = async () => {
    const [first] = group
    if (first === undefined) return
    await to.append([commitOf(group, sequence)])
    sequence += group.length
    group = []
  }
  for await (const event of events) {
    if (group.length > 0 && group[0]!.commitId !== event.commitId) await flush()
    group.push(event)
  }
  await flush()
  return sequence
}

async function* withEdits(
  events: AsyncIterable<StoredEvent>,
  edits: ReadonlyMap<number, EventEdit>,
): AsyncGenerator<StoredEvent, void, void> {
  for await (const event of events) {
    const edit = edits.get(event.sequence)
    if (edit === undefined) yield event
    else if (edit.data !== undefined) yield { ...event, data: unmasked(edit.data, event.data) }
  }
}

/** Data in which what was masked is as in other data. */
function unmasked(data: Json, real: Json | undefined): Json {
  if (data === '[personal]') return real ?? data
  if (typeof data !== 'object' || data === null) return data
  const inner = (key: string | number) => {
    const isThere = typeof real === 'object' && real !== null && Object.hasOwn(real, key)
    return isThere ? (real as Readonly<Record<string | number, Json>>)[key] : undefined
  }
  if (Array.isArray(data)) return (data as readonly Json[]).map((item, i) => unmasked(item, inner(i)))
  return Object.fromEntries(Object.entries(data).map(([key, item]) => [key, unmasked(item, inner(key))]))
}

function commitOf(events: readonly StoredEvent[], expected: number): ReturnType<typeof commit> {
  const { stream, commitId: id, recordedAt } = events[0]!
  const offered = events.map(({ type, revision, data, metadata, tags }) => ({ type, revision, data, metadata, tags }))
  return commit({ stream, expected, id, recordedAt, events: offered })
}

const factoryOf = (store: Store): StoreFactory => ({
  name: store.name,
  open: async () => changedStore(store, { close: async () => {} }),
})

/**
 * The keys of personal fields as they are. A key that the fork makes stays in memory. That the fork uses keys is really
 * stored, as by all who do, so `forget` waits for it. It ends with the fork, whose values nobody has after that.
 */
function readOnlyKeys(store: Store): Store {
  const made = new Map<string, Row['value']>()
  return changedStore(store, {
    async loadRowsWithCheckpoint(projection, keys) {
      const { checkpoint, values } = await store.loadRowsWithCheckpoint(projection, keys)
      return { checkpoint, values: values.map((value, i) => value ?? made.get(keys[i]!)) }
    },
    async saveStep(projection, step) {
      const { rows } = step
      if (rows.every(({ key }) => key.startsWith('holder ')))
        return store.saveStep(projection, { ...step, rows: rows.map(endedAtOnce) })
      for (const { key, value } of rows) made.set(key, value)
    },
  })
}

/** A row that says that somebody has ended, and may have values in memory for a moment, as one that is removed. */
function endedAtOnce({ key, value }: Row): Row {
  const hasEnded = typeof value === 'object' && value !== null && 'closedAt' in value
  return { key, value: hasEnded ? undefined : value }
}
