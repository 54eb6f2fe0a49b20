/**
 * What caused what. A command that a reaction sends has the id of the command before it as `causationId`, and the
 * `correlationId` of the first one, or its id if it has none. Stores have no index of metadata, so a trace reads the
 * log: once to find the correlation if only the id of a command is known, and once for its commits.
 */
import type { EventStore, StoredEvent, StreamId } from '../../../src/index.ts'
import { readEvents } from './reading.ts'

/** A command that stored events, and the commands that these events led to. */
export interface CauseNode {
  readonly commandId: string
  readonly stream: StreamId
  /** Its events, in order. */
  readonly events: readonly StoredEvent[]
  /** The command that caused it, if its metadata names one. */
  readonly causationId: string | undefined
  readonly effects: readonly CauseNode[]
}

export interface CauseTree {
  readonly correlationId: string
  /** Commands whose cause is not in the tree, in the order of the log. Usually there is one. */
  readonly roots: readonly CauseNode[]
  readonly commands: number
  /** Whether the tree was cut, because it has more events than `eventsMax`. */
  readonly isCut: boolean
}

export interface TraceOptions {
  /** The greatest number of events in the tree, 10,000 by default. */
  readonly eventsMax?: number
  /** The positions `[from, to)` that are looked through; all by default. */
  readonly from?: number
  readonly to?: number
  readonly signal?: AbortSignal
  /** Is told the last position that was examined. */
  readonly onProgress?: (examined: number) => void
}

const eventsMaxDefault = 10_000

/** The correlation of an event: what its metadata says, or the command that began it. */
export function correlationOf({ metadata, commitId }: Pick<StoredEvent, 'metadata' | 'commitId'>): string {
  return textIn(metadata['correlationId']) ?? commitId
}

/**
 * The tree of all that happened under a correlation, which is given by its id or by the id of one of its commands.
 *
 * @returns nothing if no event has the id
 */
export async function traceCauses(
  store: EventStore,
  id: string,
  { eventsMax = eventsMaxDefault, onProgress, ...reading }: TraceOptions = {},
): Promise<CauseTree | undefined> {
  const correlationId = await correlationWith(store, id, reading, onProgress)
  if (correlationId === undefined) return undefined
  const events: StoredEvent[] = []
  let isCut = false
  for await (const event of readEvents(store, reading, onProgress)) {
    if (correlationOf(event) !== correlationId) continue
    isCut = events.length >= eventsMax
    if (isCut) break
    events.push(event)
  }
  return { correlationId, ...treeOf(events), isCut }
}

/** Newest first: what somebody traces has usually happened lately. */
async function correlationWith(
  store: EventStore,
  id: string,
  reading: Pick<TraceOptions, 'from' | 'to' | 'signal'>,
  onProgress: TraceOptions['onProgress'],
): Promise<string | undefined> {
  for await (const event of readEvents(store, { ...reading, direction: 'backward' }, onProgress)) {
    const correlation = correlationOf(event)
    if (correlation === id || event.commitId === id) return correlation
  }
  return undefined
}

function treeOf(events: readonly StoredEvent[]): Pick<CauseTree, 'roots' | 'commands'> {
  const nodes: (CauseNode & { readonly events: StoredEvent[]; readonly effects: CauseNode[] })[] = []
  for (const event of events) {
    const last = nodes.at(-1)
    const isSame = last !== undefined && last.commandId === event.commitId && isSameStream(last.stream, event.stream)
    if (isSame) last.events.push(event)
    else {
      const { commitId: commandId, stream, metadata } = event
      nodes.push({ commandId, stream, events: [event], causationId: textIn(metadata['causationId']), effects: [] })
    }
  }
  // A cause lies before its effects, so an id that was used twice means the last one before.
  const byId = new Map<string, { readonly effects: CauseNode[] }>()
  const roots: CauseNode[] = []
  for (const node of nodes) {
    const cause = node.causationId === undefined ? undefined : byId.get(node.causationId)
    if (cause === undefined) roots.push(node)
    else cause.effects.push(node)
    byId.set(node.commandId, node)
  }
  return { roots, commands: nodes.length }
}

const isSameStream = (a: StreamId, b: StreamId) => a.aggregate === b.aggregate && a.id === b.id

const textIn = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
