/** Tools that ask the code of the domain: its catalogue, states, read models and what they have parked. */
import { z } from 'zod'
import type { FoundPage, Json, ParkedEvent, Query } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import {
  type AnyDomain,
  changesBetween,
  domainOf,
  type FollowerKind,
  type Inspection,
  jsonSchemaOf,
  pathText,
  shown,
  stateAt,
  statusOf,
} from '../inspection/index.ts'
import { catalogueView } from '../studio/catalogue.ts'
import { bytesMax, cutValue, fitting, numbersIn, pageOf, sizeOf, smallOr } from './bounds.ts'
import { cursor, limit, sequence, stream, type Tool, text, tool } from './tool.ts'

const catalogue = tool({
  name: 'catalogue',
  description:
    'What the domain is made of: its aggregates with their commands and events, who handles each event, its ' +
    'projections and reactions. Ask for one aggregate to see the JSON Schema of the data of its commands. Begin here.',
  input: { aggregate: text().optional() },
  async answer({ input, inspection }) {
    const domain = domainOf(inspection)
    const view = catalogueView(domain)
    if (input.aggregate === undefined) {
      const all = view as unknown as Json
      return sizeOf(all) > bytesMax ? namesOf(domain) : all
    }
    const { aggregate } = inspection.stream(input.aggregate, '-')
    const { decisions } = Object.values(domain.aggregates).find(({ name }) => name === aggregate)!
    const commands = [...decisions].map(([name, { schema }]) => ({
      name,
      data: jsonSchemaOf(schema) ?? 'its schema cannot be told',
    }))
    const events = view.aggregates.find(({ name }) => name === aggregate)!.events
    return smallOr({ name: aggregate, commands, events } as unknown as Json)
  },
})

/** Of a domain that is too large: what to ask for. */
function namesOf({ aggregates, projections, reactions }: AnyDomain): Json {
  const names = (all: Readonly<Record<string, { readonly name: string }>>) =>
    fitting(
      Object.values(all)
        .slice(0, 500)
        .map(({ name }) => name),
      (name) => name,
    )
  const named = { aggregates: names(aggregates), projections: names(projections), reactions: names(reactions) }
  return { note: 'It is large: ask for one aggregate.', ...named }
}

const point = {
  sequence: sequence().optional().describe('the state after the event with this sequence; 0 is before the first'),
  at: z.iso.datetime({ offset: true }).optional().describe('the state at this time, as in 2026-01-31T12:00:00Z'),
}

const state = tool({
  name: 'state',
  description:
    'The state of an aggregate instance, computed by the code of the domain: the newest, or at a sequence or a time. ' +
    'path chooses a part of a large state.',
  input: {
    ...stream,
    ...point,
    path: z
      .array(z.union([text(), z.int().min(0)]))
      .max(50)
      .optional()
      .describe('such as ["lines", 0]'),
  },
  async answer({ input, inspection }) {
    const { aggregate, id, at, path = [] } = input
    if (input.sequence !== undefined && at !== undefined) {
      throw new ToolsError('USAGE', 'sequence and at are two ways to say the same', { advice: 'Give one of them' })
    }
    const when = {
      ...(input.sequence !== undefined && { sequence: input.sequence }),
      ...(at !== undefined && { time: new Date(at) }),
    }
    const view = await stateAt(inspection, inspection.stream(aggregate, id), when)
    const part = partOf(view.state, path)
    const place = { ...view.stream, sequence: view.sequence, position: view.position }
    const note = view.sequence === 0 ? { note: 'It has no event there; this is its initial state.' } : {}
    return { ...place, ...note, state: sizeOf(part) > bytesMax ? partsOf(part) : part }
  },
})

/** @throws ToolsError `NOT_FOUND` */
function partOf(state: Json, path: readonly (string | number)[]): Json {
  let part: Json = state
  for (const [i, key] of path.entries()) {
    const isThere = typeof part === 'object' && part !== null && Object.hasOwn(part, key)
    if (!isThere) {
      const message = `The state has nothing at ${pathText(path.slice(0, i + 1)).slice(0, 200)}`
      throw new ToolsError('NOT_FOUND', message, { advice: 'Ask without path to see what it has' })
    }
    part = (part as Readonly<Record<string, Json>>)[key]!
  }
  return part
}

/** What a state that is too large consists of. */
function partsOf(state: Json): Json {
  const parts = Object.entries(state as Readonly<Record<string, Json>>)
  const some = fitting(
    parts.slice(0, 500).map(([key, part]) => ({ key: key.slice(0, 200), bytes: sizeOf(part) })),
    (each) => each,
  )
  return { ...(cutValue(state) as object), askWith: 'path', parts: some, count: parts.length } as unknown as Json
}

const diff = tool({
  name: 'diff',
  description: 'What has changed in the state of an instance between two sequences: the places, before and after.',
  input: {
    ...stream,
    from: sequence().describe('the sequence before the changes; 0 for the initial state'),
    to: sequence().optional().describe('the sequence after them; the newest by default'),
    limit: limit(100, 500),
    cursor: cursor(),
  },
  async answer({ input, inspection }) {
    const { aggregate, id, from, to } = input
    const address = inspection.stream(aggregate, id)
    const after = await stateAt(inspection, address, to === undefined ? {} : { sequence: to })
    const before = await stateAt(inspection, address, { sequence: Math.min(from, after.sequence) })
    const [first = 0] = input.cursor === undefined ? [] : numbersIn(input.cursor, 1)
    const { changes, more } = changesBetween(before.state, after.state, Math.min(first, 1_000_000) + input.limit)
    const views = changes.slice(first).map(({ path, ...sides }) => ({ path: pathText(path), ...sides }))
    const cut = (change: (typeof views)[number]) => ({ path: change.path.slice(0, 500), after: 'tooLarge' })
    const some = fitting(views, cut)
    const next = first + some.length
    const isMore = more > 0 || some.length < views.length
    const place = { ...address, from: before.sequence, to: after.sequence }
    return { ...place, changes: some as unknown as Json, ...(isMore && { cursor: String(next) }) }
  },
})

const projections = tool({
  name: 'projections',
  description:
    'Where all projections and reactions are: their position in the log, how far behind, how many events they have ' +
    'parked, since when one is paused, and why one has failed. beginning says where a reaction begins that has never run.',
  input: { limit: limit(100, 200), cursor: cursor() },
  async answer({ input, inspection }) {
    const { projections, reactions } = domainOf(inspection)
    const all: Json[] = []
    for (const [kind, named] of Object.entries({ projection: projections, reaction: reactions })) {
      for (const name of Object.keys(named)) {
        const { failure, ...status } = await statusOf(inspection, kind as FollowerKind, name)
        const failed = failure && { failure: { ...failure, message: failure.message.slice(0, 2000) } }
        all.push({ ...status, ...failed } as unknown as Json)
      }
    }
    const { some, cursor } = pageOf(all, { ...input, cursor: input.cursor, cut: cutValue })
    return { followers: some, ...(cursor && { cursor }) }
  },
})

/** @throws ToolsError `FOLLOWER_UNKNOWN` */
function checkNamed({ projections, reactions }: AnyDomain, kind: FollowerKind, name: string): void {
  const known = kind === 'projection' ? projections : reactions
  if (Object.hasOwn(known, name)) return
  throw new ToolsError('FOLLOWER_UNKNOWN', `The domain has no ${kind} ${JSON.stringify(name)}`, {
    advice: `It has ${Object.keys(known).join(', ') || 'none'}`,
  })
}

const where = () => z.record(text(), z.json()).optional()

const findRows = tool({
  name: 'find_rows',
  description:
    'Rows of a projection, with their keys. where is a record of fields: {"balance": {"gte": 100}, "status": "open"}; ' +
    'operators are gt, gte, lt, lte, in, not, startsWith, contains. or is a list of such records. order_by lists ' +
    'fields, or [field, "descending"]. A projection with one state answers with that state.',
  input: {
    projection: text(),
    where: where(),
    or: z.array(z.record(text(), z.json())).max(20).optional(),
    order_by: z
      .array(z.union([text(), z.tuple([text(), z.enum(['ascending', 'descending'])])]))
      .max(8)
      .optional(),
    limit: limit(20, 200),
    cursor: cursor(),
  },
  async answer({ input, inspection }) {
    const domain = domainOf(inspection)
    checkNamed(domain, 'projection', input.projection)
    const model = (await inspection.projections()).readModel(input.projection) as {
      state?(): Promise<unknown>
      find?(query: Query<never>): Promise<FoundPage<unknown>>
    }
    if (model.state !== undefined) return { state: smallOr(shown(await model.state())) }
    if (model.find === undefined) {
      throw new ToolsError('USAGE', `The projection ${input.projection} keeps tables of its own`, {
        advice: 'Read them in the database',
      })
    }
    const { where, or, order_by: orderBy, limit, cursor: after } = input
    const query = { ...(where && { where }), ...(or && { or }), ...(orderBy && { orderBy }) }
    // Only the store knows the cursor behind a row, so rows that do not fit are asked for again.
    for (let most = limit; ; ) {
      const page = await model.find({ ...query, limit: most, after } as never)
      const rows = page.rows.map(({ key, row }) => ({ key, row: shown(row) }))
      const some = fitting(rows, ({ key, row }) => ({ key, row: cutValue(row) }))
      if (some.length === rows.length) return { rows: some, ...(page.next !== undefined && { cursor: page.next }) }
      most = some.length
    }
  },
})

const parked = tool({
  name: 'parked',
  description:
    'The events that a projection or a reaction could not handle and has put aside, each with the reason. Give one of ' +
    'projection and reaction.',
  input: { projection: text().optional(), reaction: text().optional(), limit: limit(50, 200), cursor: cursor() },
  async answer({ input, inspection }) {
    const { projection, reaction } = input
    if ((projection === undefined) === (reaction === undefined)) {
      throw new ToolsError('USAGE', 'Either a projection or a reaction has parked events', {
        advice: 'Give one of them',
      })
    }
    const parked =
      projection === undefined ? await parkedBy(inspection, reaction!) : await putAside(inspection, projection)
    const all = parked.map((event) => shown(event))
    const { some, cursor } = pageOf(all, { ...input, cursor: input.cursor, cut: cutValue })
    return { parked: some, count: all.length, ...(cursor && { cursor }) }
  },
})

async function putAside(inspection: Inspection, projection: string): Promise<readonly ParkedEvent[]> {
  checkNamed(domainOf(inspection), 'projection', projection)
  return (await inspection.projections()).projections.parked(projection)
}

/** One that has never run has none, and is not asked, because that may store where it begins. */
async function parkedBy(inspection: Inspection, reaction: string): Promise<readonly ParkedEvent[]> {
  checkNamed(domainOf(inspection), 'reaction', reaction)
  return (await (await inspection.reaction(reaction)).reactions?.parked(reaction)) ?? []
}

export const domainTools: readonly Tool[] = [catalogue, state, diff, projections, findRows, parked]
