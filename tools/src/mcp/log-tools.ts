/** Tools that read the log: streams, events and causes. They need no code of the domain. */
import { z } from 'zod'
import type { Json, StoredEvent } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import {
  type CauseNode,
  type EventQuery,
  type Inspection,
  readEventsPage,
  type ShownEvent,
  shownEvent,
  traceCauses,
} from '../inspection/index.ts'
import { cutValue, fitting, numbersIn } from './bounds.ts'
import { cursor, limit, type Tool, text, tool } from './tool.ts'

const listStreams = tool({
  name: 'list_streams',
  description: 'The ids of the instances of an aggregate that have events, in order.',
  input: { aggregate: text().describe('the name of the aggregate'), limit: limit(100, 1000), cursor: cursor() },
  async answer({ input, inspection }) {
    const { aggregate } = inspection.stream(input.aggregate, '-')
    const query = { limit: input.limit, ...(input.cursor !== undefined && { after: input.cursor }) }
    const { ids, next } = await inspection.store.listStreams(aggregate, query)
    // An id is never too large for an answer.
    const some = fitting(ids, (id) => id)
    const after = some.length < ids.length ? some.at(-1) : next
    return { aggregate, ids: some, ...(after !== undefined && { cursor: after }) }
  },
})

const texts = (what: string) => z.array(text()).max(50).optional().describe(what)

const readEvents = tool({
  name: 'read_events',
  description:
    'Events of the whole log, or the history of one stream, as JSON. Give aggregate and id together for one stream; ' +
    'from and to are then sequences, otherwise positions in the log. Data is upcast to the newest revision.',
  input: {
    aggregate: text().optional().describe('with id: the stream. Without id: only events of this aggregate'),
    id: text().optional(),
    types: texts('only events of these types'),
    tags: texts('only events that have all of these tags'),
    from: z.int().min(1).optional().describe('the first position, or sequence'),
    to: z.int().min(1).optional().describe('only events before this position, or sequence'),
    newest_first: z.boolean().default(false),
    limit: limit(50, 500),
    cursor: cursor(),
  },
  async answer({ input, inspection, signal }) {
    const { aggregate, id, types, tags, from, to, newest_first } = input
    if (id !== undefined && aggregate === undefined) {
      throw new ToolsError('USAGE', 'A stream has an aggregate and an id', { advice: 'Give both' })
    }
    const stream = aggregate === undefined ? undefined : inspection.stream(aggregate, id ?? '-')
    const direction = newest_first ? 'backward' : 'forward'
    const query: EventQuery = {
      ...(stream && (id === undefined ? { aggregates: [stream.aggregate] } : { stream })),
      ...(types && { types }),
      ...(tags && { tags }),
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
      ...(input.cursor !== undefined && boundsIn(input.cursor)),
      direction,
      signal,
    }
    const page = await readEventsPage(inspection.store, query, input.limit)
    const views = page.events.map((event) => viewOf(inspection, event))
    const some = fitting(views, (event) => ({ ...event, data: cutValue(event.data ?? null), metadata: {} }))
    const last = some.at(-1)
    const placeOf = ({ position, sequence }: EventView) => (query.stream === undefined ? position : sequence)
    const rest = newest_first
      ? { from: query.from ?? 1, to: last && placeOf(last) }
      : { from: last && placeOf(last) + 1, to: query.to ?? Number.POSITIVE_INFINITY }
    const next = some.length < views.length ? { from: rest.from!, to: rest.to! } : page.next
    return { events: some as unknown as Json, ...(next && { cursor: cursorOf(next) }) }
  },
})

const cursorOf = ({ from, to }: { readonly from: number; readonly to: number }): string =>
  Number.isFinite(to) ? `${from}-${to}` : String(from)

function boundsIn(cursor: string): { readonly from: number; readonly to: number } {
  const [from, to = Number.POSITIVE_INFINITY] = numbersIn(cursor, cursor.includes('-') ? 2 : 1)
  return { from: Math.max(1, from!), to }
}

type EventView = Omit<ShownEvent, 'data'> & { readonly data?: Json }

/** An event. If the domain cannot read it, nobody knows which of its data is personal, so the data is left out. */
function viewOf(inspection: Pick<Inspection, 'domain'>, event: StoredEvent): EventView {
  const { data, unreadable, ...rest } = shownEvent(inspection, event)
  return unreadable === undefined ? { ...rest, data } : { ...rest, unreadable: unreadable.slice(0, 1000) }
}

const trace = tool({
  name: 'trace',
  description:
    'What caused what: all commands under a correlation id, in the order of the log, each with its cause and its ' +
    'events. Takes the id of any command too (commitId of an event). It reads the log from where the command is, or all ' +
    'of it if a caller has chosen the id: give aggregate and id of its stream, or bounds, if you know them. A command ' +
    'that was rejected leaves no event.',
  input: {
    command_or_correlation_id: text(),
    aggregate: text().optional().describe('with id: the stream of the command'),
    id: text().optional(),
    from: z.int().min(1).optional().describe('the first position to look at'),
    to: z.int().min(1).optional().describe('only what lies before this position'),
    limit: limit(50, 200),
    cursor: cursor(),
  },
  async answer({ input, inspection, signal }) {
    const { command_or_correlation_id: id, aggregate, from: first, to } = input
    if ((aggregate === undefined) !== (input.id === undefined)) {
      throw new ToolsError('USAGE', 'A stream has an aggregate and an id', { advice: 'Give both' })
    }
    const tree = await traceCauses(inspection.store, id, {
      signal,
      ...(aggregate !== undefined && { stream: inspection.stream(aggregate, input.id!) }),
      ...(first !== undefined && { from: first }),
      ...(to !== undefined && { to }),
    })
    if (tree === undefined) {
      throw new ToolsError('NOT_FOUND', `No event has the correlation or the command id ${JSON.stringify(id)}`, {
        advice: 'The commitId of an event is the id of its command',
      })
    }
    const all = inOrder(tree.roots)
    const [from = 0] = input.cursor === undefined ? [] : numbersIn(input.cursor, 1)
    const views = all.slice(from, from + input.limit).map((node) => commandView(inspection, node))
    const cut = (node: CommandView) => ({ ...node, events: `${node.events.length} events; read them with read_events` })
    const some = fitting(views, cut)
    const next = from + some.length
    const cursor = next < all.length ? { cursor: String(next) } : {}
    const { correlationId, commands, isCut } = tree
    return { correlationId, commands: some as unknown as Json, count: commands, isCut, ...cursor }
  },
})

interface CommandView {
  readonly commandId: string
  readonly causationId: string | null
  readonly aggregate: string
  readonly id: string
  readonly events: readonly EventView[] | string
}

const commandView = (
  inspection: Pick<Inspection, 'domain'>,
  { commandId, causationId, stream, events }: CauseNode,
): CommandView => ({
  commandId,
  causationId: causationId ?? null,
  ...stream,
  events: events.map((event) => viewOf(inspection, event)),
})

/** The commands of a tree, causes before effects, in the order of the log. */
function inOrder(roots: readonly CauseNode[]): readonly CauseNode[] {
  const all = [...roots]
  for (const node of all) all.push(...node.effects)
  return all.sort((a, b) => a.events[0]!.position - b.events[0]!.position)
}

export const logTools: readonly Tool[] = [listStreams, readEvents, trace]
