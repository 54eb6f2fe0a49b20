/**
 * A world beside the real one: a stream up to a sequence, in memory, with the domain running on it. Commands are
 * decided there exactly as in the real one, and nothing of them reaches the real store. So a command can be tried
 * before it is sent, or other commands than those that were.
 *
 * The events are copied, so a fork costs memory for each of them. Their sequences, times, ids and metadata are the
 * same; their positions are those of the fork. Only the one stream is there, and only aggregates run.
 */
import {
  commit,
  domain as describe,
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

export interface ForkOptions {
  /** Other code than that of the inspection, to see what it would have done. */
  readonly domain?: AnyDomain
  readonly signal?: AbortSignal
}

/** The store in memory, and the domain that runs on it. */
export interface Fork extends Pick<RunningDomain, 'dispatch' | 'read'>, AsyncDisposable {
  readonly stream: StreamId
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
  { domain = inspection.domain, signal }: ForkOptions = {},
): Promise<Fork> {
  // Throws if there is no domain.
  await inspection.aggregates()
  const { target } = inspection
  const store = await memory().open({ warn: () => {}, now: Date.now })
  const copied = await copy(inspection.store, store, stream, sequence, signal)
  const keysOwner = target.keys === undefined ? undefined : await target.keys.open({ warn: () => {}, now: Date.now })
  const keys = factoryOf(readOnlyKeys(keysOwner ?? inspection.store))
  const { aggregates } = domain!
  const log = { warn: () => {} }
  const started = await running(describe({ aggregates }), { store: factoryOf(store), keys, projections: 'manual', log })
  return Object.freeze({
    stream,
    sequence: copied,
    dispatch: started.running.dispatch,
    read: started.running.read,
    async [Symbol.asyncDispose]() {
      await started.stop()
      await store.close()
      await keysOwner?.close()
    },
  })
}

async function copy(
  from: Store,
  to: Store,
  stream: StreamId,
  last: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  let sequence = 0
  let group: StoredEvent[] = []
  const flush = async () => {
    const [first] = group
    if (first === undefined) return
    await to.append([commitOf(group, sequence)])
    sequence += group.length
    group = []
  }
  const range = { to: last < Number.MAX_SAFE_INTEGER ? last + 1 : Number.POSITIVE_INFINITY }
  for await (const event of readEvents(from, { stream, ...range, ...(signal && { signal }) })) {
    if (group.length > 0 && group[0]!.commitId !== event.commitId) await flush()
    group.push(event)
  }
  await flush()
  return sequence
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

/** The keys of personal fields as they are. A key that the fork makes stays in memory. */
function readOnlyKeys(store: Store): Store {
  const made = new Map<string, Row['value']>()
  return changedStore(store, {
    async loadRowsWithCheckpoint(projection, keys) {
      const { checkpoint, values } = await store.loadRowsWithCheckpoint(projection, keys)
      return { checkpoint, values: values.map((value, i) => value ?? made.get(keys[i]!)) }
    },
    async saveStep(_, { rows }) {
      for (const { key, value } of rows) made.set(key, value)
    },
  })
}
