/**
 * What reactions have still to do. A domain that is started stores where reactions begin that have never run, and the
 * studio may store nothing. So they are asked only if all of them have begun.
 */
import { ToolsError } from '../errors.ts'
import { type Inspection, shown } from '../inspection/index.ts'
import { brief } from './brief.ts'
import { type Route, whole } from './question.ts'
import type { Json, TimersView, WaitingView } from './views.ts'

const pageMax = 100
const itemMax = 5000

export function reactionRoutes(inspection: Inspection): readonly (readonly [path: string, route: Route])[] {
  return [
    ['/api/reactions/waiting', (query) => waitingOf(inspection, query)],
    ['/api/reactions/timers', (query) => timersOf(inspection, query)],
  ]
}

async function reactionOf(inspection: Inspection, query: URLSearchParams) {
  const { domain, store } = inspection
  const name = query.get('reaction') ?? ''
  const all = Object.entries(domain?.reactions ?? {})
  const found = all.find(([, each]) => each.name === name)
  if (found === undefined)
    throw new ToolsError('FOLLOWER_UNKNOWN', `The domain has no reaction ${JSON.stringify(name)}`)
  for (const [, each] of all) {
    const { term } = await store.loadCheckpoint(`reaction ${each.name}`)
    if (term === 0)
      throw new ToolsError('NOT_FOUND', `The reaction ${each.name} has never run, so it has stored nothing yet`)
  }
  const { reactions } = await inspection.everything()
  return { key: found[0], reactions }
}

const pageOf = (query: URLSearchParams) => {
  const after = query.get('after')
  return { limit: whole(query, 'limit', pageMax, pageMax), ...(after !== null && after !== '' && { after }) }
}

const item = (value: unknown): Json => brief(shown(value), itemMax).value

async function waitingOf(inspection: Inspection, query: URLSearchParams): Promise<WaitingView> {
  const { key, reactions } = await reactionOf(inspection, query)
  const { waiting, next, leader } = await reactions.waiting(key, pageOf(query))
  return { items: waiting.map(item), ...(next !== undefined && { next }), isElsewhere: typeof leader === 'object' }
}

async function timersOf(inspection: Inspection, query: URLSearchParams): Promise<TimersView> {
  const { key, reactions } = await reactionOf(inspection, query)
  const { timers, next } = await reactions.timers(key, pageOf(query))
  return { timers: timers.map(item), ...(next !== undefined && { next }) }
}
