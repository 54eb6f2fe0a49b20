/**
 * What caused what. A command that a reaction sends has the id of the command before it as `causationId`, and the
 * `correlationId` of the first one, or its id if it has none. Stores have no index of metadata (decision 0030), so a
 * trace reads the log forward. It begins as late as it can: ids that the library makes say where their commands are
 * (`command-place.ts`), and nothing of a correlation lies before the command that began it.
 */
import type { EventStore, StoredEvent, StreamId } from '../../../src/index.ts'
import { causePositionIn, eventAt, eventNear, positionBefore, timeIn } from './command-place.ts'
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
  /** The stream of the command. An id that a caller has chosen is then looked up, and what lies before is left out. */
  readonly stream?: StreamId
  /** The positions `[from, to)` that are looked through; by default all that may belong to the tree. */
  readonly from?: number
  readonly to?: number
  readonly signal?: AbortSignal
  /** Is told how many positions were examined, and how many there are to examine. */
  readonly onProgress?: (examined: number, total: number) => void
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
  options: TraceOptions = {},
): Promise<CauseTree | undefined> {
  const { stream, from = 1 } = options
  if (stream !== undefined || options.from === undefined) {
    const place = await placeOf(store, id, options)
    const tree = place && (await treeFrom(store, place, options))
    // The id of a reaction's command says where its cause is, also if the command was rejected.
    const isFound = tree !== undefined && hasCommand(tree, id)
    if (isFound || stream !== undefined) return isFound ? tree : undefined
  }
  let other: string | undefined
  const tree = await treeFrom(store, { correlationId: id, from }, options, (event) => {
    if (event.commitId === id) other = correlationOf(event)
  })
  if (tree.commands > 0) return tree
  return other === undefined ? undefined : treeFrom(store, { correlationId: other, from }, options)
}

/** Whether a tree has a command. One that was cut may have had it. */
function hasCommand({ roots, isCut }: CauseTree, id: string): boolean {
  const waiting = [...roots]
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.commandId === id) return true
    waiting.push(...node.effects)
  }
  return isCut
}

/** A correlation, and a position before which nothing of it lies. */
interface CorrelationPlace {
  readonly correlationId: string
  readonly from: number
}

/** Where the correlation of a command begins, if that can be said without reading the log. */
async function placeOf(
  store: EventStore,
  id: string,
  { stream, from: least = 1, signal }: TraceOptions,
): Promise<CorrelationPlace | undefined> {
  const event = await eventOf(store, id, stream, signal)
  if (event === undefined) return undefined
  const correlationId = correlationOf(event)
  // Nobody can name an id that the library makes before it is made. One that was chosen may have been used before.
  const time = timeIn(correlationId)
  const from =
    time === undefined
      ? stream !== undefined && correlationId === id
        ? event.position
        : 1
      : Math.min(event.position, await positionBefore(store, time))
  return { correlationId, from: Math.max(from, least) }
}

/** An event of the correlation of a command, if it can be found without reading the log. */
async function eventOf(
  store: EventStore,
  id: string,
  stream: StreamId | undefined,
  signal: AbortSignal | undefined,
): Promise<StoredEvent | undefined> {
  if (stream !== undefined) {
    const receipt = await store.findCommit(stream, id)
    return receipt && eventAt(store, receipt.position - receipt.count + 1)
  }
  const position = causePositionIn(id)
  if (position !== undefined) return eventAt(store, position)
  const time = timeIn(id)
  return time === undefined ? undefined : eventNear(store, id, time, signal)
}

/** @param onOther is told the events that are not of the correlation */
async function treeFrom(
  store: EventStore,
  { correlationId, from }: CorrelationPlace,
  { eventsMax = eventsMaxDefault, from: least = 1, to = Number.POSITIVE_INFINITY, signal, onProgress }: TraceOptions,
  onOther: (event: StoredEvent) => void = () => {},
): Promise<CauseTree> {
  const head = await store.head()
  const events: StoredEvent[] = []
  let isCut = false
  const read = async (from: number, to: number) => {
    const total = Math.min(to, head + 1) - from
    const onPage = (examined: number) => onProgress?.(examined - from + 1, total)
    for await (const event of readEvents(store, { from, to, ...(signal && { signal }) }, onPage)) {
      if (correlationOf(event) !== correlationId) {
        onOther(event)
        continue
      }
      isCut = events.length >= eventsMax
      if (isCut) break
      events.push(event)
    }
  }
  await read(from, to)
  // The clock of the process that made the id was wrong, or the id is of another log: all may lie anywhere.
  const hasBeginning = events.some(({ commitId }) => commitId === correlationId)
  if (from > least && !hasBeginning && !isCut) {
    await read(least, Math.min(from, to))
    events.sort((a, b) => a.position - b.position)
  }
  return { correlationId, ...treeOf(events), isCut }
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
