/** What the page may ask for. Every answer is bounded. */
import type { StreamId } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import { type CauseNode, type Inspection, readEventsPage, traceCauses } from '../inspection/index.ts'
import { catalogueView } from './catalogue.ts'
import { clusterOf } from './cluster.ts'
import { commandsView } from './commands.ts'
import { briefEventView, eventView } from './event-view.ts'
import { followersOf, parkedOf } from './followers.ts'
import type { Managing } from './managing.ts'
import { filtersOf, pathIn, type Route, whole } from './question.ts'
import { reactionRoutes } from './reactions.ts'
import { rowRoutes } from './rows.ts'
import { StateLine, storedSteps } from './state-line.ts'
import type {
  CauseView,
  DevelopmentView,
  EventsView,
  EventView,
  Info,
  ReasonsView,
  StepsView,
  TraceView,
} from './views.ts'

const pageMax = 500
const stepsMax = 200
/** How far around an event its causes and effects are looked for. */
const nearMax = 5000
/** How many streams keep states. */
const linesMax = 8

/** What the studio may do, and what it knows. */
export interface Modes {
  /** Whether commands may be sent, and projections be managed. Otherwise they can only be tried. */
  readonly isWritable?: boolean
  /** What `mneme dev` knows of changed code. */
  readonly development?: () => DevelopmentView
}

/** The routes by their paths. */
export function routesOf(
  inspection: Inspection,
  { development, isWritable }: Modes,
  managing: Pick<Managing, 'rebuilds'>,
): ReadonlyMap<string, Route> {
  const lines = new Map<string, StateLine>()
  const modes = { isDevelopment: development !== undefined, isWritable: isWritable === true }
  return new Map<string, Route>([
    ['/api/info', async () => ({ ...(await infoOf(inspection)), ...modes })],
    ['/api/development', async () => ({ development: development?.() ?? null })],
    ['/api/events', (query, signal) => eventsOf(inspection, query, signal)],
    ['/api/event', (query, signal) => eventOf(inspection, query, signal)],
    ['/api/end', async (query) => ({ end: await endOf(inspection, streamIn(inspection, query)) })],
    ['/api/steps', (query, signal) => stepsOf(inspection, lines, query, signal)],
    ['/api/reasons', (query, signal) => reasonsOf(inspection, lines, query, signal)],
    ['/api/trace', (query, signal) => traceOf(inspection, query, signal)],
    ['/api/catalogue', async () => ({ catalogue: inspection.domain && catalogueView(inspection.domain) })],
    ['/api/commands', async (query) => commandsView(inspection, query.get('aggregate') ?? '')],
    ['/api/followers', async () => ({ followers: await followersOf(inspection) })],
    ['/api/parked', async () => ({ parked: await parkedOf(inspection) })],
    ['/api/rebuilds', async () => ({ rebuilds: managing.rebuilds })],
    ['/api/cluster', async () => ({ cluster: await clusterOf(inspection) })],
    ...rowRoutes(inspection),
    ...reactionRoutes(inspection),
  ])
}

async function infoOf({ store, domain }: Inspection): Promise<Omit<Info, 'isDevelopment' | 'isWritable'>> {
  const aggregates = Object.values(domain?.aggregates ?? {}).map(({ name }) => name)
  return { store: store.name, hasDomain: domain !== undefined, aggregates, head: await store.head() }
}

// -- events ----------------------------------------------------------------------------------------------------

async function eventsOf(inspection: Inspection, query: URLSearchParams, signal: AbortSignal): Promise<EventsView> {
  const { store } = inspection
  const limit = whole(query, 'limit', 100, pageMax)
  // Before the page: what is stored in between is then after the head, where the page follows the log.
  const head = await store.head()
  const to = Math.min(whole(query, 'to', head + 1), head + 1)
  const direction = query.get('direction') === 'forward' ? 'forward' : 'backward'
  const bounds = { ...filtersOf(query), from: whole(query, 'from', 1), to, direction, signal } as const
  const page = await readEventsPage(store, bounds, limit)
  const { next } = page
  return {
    events: page.events.map((event) => briefEventView(inspection, event)),
    ...(next && { next: { from: next.from, to: next.to } }),
    head,
  }
}

/** The event at a position, as far as it can be shown. */
async function eventOf(inspection: Inspection, query: URLSearchParams, signal: AbortSignal): Promise<EventView> {
  const position = whole(query, 'position', 0)
  const page = await readEventsPage(inspection.store, { from: position, to: position + 1, signal }, 1)
  const [event] = page.events
  if (event === undefined) throw new ToolsError('NOT_FOUND', `There is no event at position ${position}`)
  return eventView(inspection, event)
}

// -- streams ---------------------------------------------------------------------------------------------------

function streamIn(inspection: Inspection, query: URLSearchParams): StreamId {
  const [aggregate, id] = [query.get('aggregate') ?? '', query.get('id') ?? '']
  if (aggregate === '' || id === '') throw new ToolsError('USAGE', 'A stream has an aggregate and an id')
  return inspection.stream(aggregate, id)
}

/** The sequence of the last event. */
async function endOf({ store }: Inspection, stream: StreamId): Promise<number> {
  const [ended] = await store.streamEnds([stream])
  return ended!.sequence
}

async function stepsOf(
  inspection: Inspection,
  lines: Map<string, StateLine>,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<StepsView> {
  const stream = streamIn(inspection, query)
  const end = await endOf(inspection, stream)
  // A state beyond the end would be kept as if the thousands before it were whole.
  const from = Math.max(1, whole(query, 'from', 1, end + 1))
  const to = Math.min(from + whole(query, 'count', 100, stepsMax), end + 1)
  const line = lineOf(inspection, lines, stream)
  if (line === undefined) return { from, end, steps: await storedSteps(inspection, stream, from, to, signal) }
  return line.steps(from, to, end, signal)
}

const reasonsMax = 20

async function reasonsOf(
  inspection: Inspection,
  lines: Map<string, StateLine>,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<ReasonsView> {
  const stream = streamIn(inspection, query)
  const end = await endOf(inspection, stream)
  const line = lineOf(inspection, lines, stream)
  if (line === undefined) return { reasons: [] }
  return line.reasons(pathIn(query), whole(query, 'sequence', 0, end), reasonsMax, signal)
}

/** The states of a stream; nothing without the code of its aggregate. */
function lineOf(inspection: Inspection, lines: Map<string, StateLine>, stream: StreamId): StateLine | undefined {
  const aggregate = Object.values(inspection.domain?.aggregates ?? {}).find(({ name }) => name === stream.aggregate)
  if (aggregate === undefined) return undefined
  const key = JSON.stringify([stream.aggregate, stream.id])
  const line = lines.get(key) ?? new StateLine(inspection, aggregate, stream)
  // The last used is at the end.
  lines.delete(key)
  lines.set(key, line)
  if (lines.size > linesMax) lines.delete(lines.keys().next().value!)
  return line
}

// -- causes ----------------------------------------------------------------------------------------------------

async function traceOf(
  { store }: Inspection,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<{ readonly trace: TraceView | null }> {
  const id = query.get('id') ?? ''
  if (id === '') throw new ToolsError('USAGE', 'A trace needs the id of a command or a correlation')
  // Beside an event only what is near it is looked at: a whole log takes seconds.
  const near = whole(query, 'near', 0)
  const bounds = near === 0 ? {} : { from: Math.max(1, near - nearMax), to: near + nearMax + 1 }
  const tree = await traceCauses(store, id, { eventsMax: 1000, signal, ...bounds })
  if (tree === undefined) return { trace: null }
  const { correlationId, roots, commands, isCut } = tree
  return { trace: { correlationId, roots: roots.map(causeView), commands, isCut } }
}

const causeView = ({ commandId, stream, events, effects }: CauseNode): CauseView => ({
  commandId,
  aggregate: stream.aggregate,
  id: stream.id,
  events: events.map(({ position, sequence, type, recordedAt }) => ({
    position,
    sequence,
    type,
    recordedAt: new Date(recordedAt).toISOString(),
  })),
  effects: effects.map(causeView),
})
