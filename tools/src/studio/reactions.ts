/**
 * What reactions have still to do. A domain that is started stores where those reactions begin that have never run and
 * do not begin at the first event, and the studio may store nothing. So nothing is asked of those.
 */
import { beginningOf, type Inspection, shown } from '../inspection/index.ts'
import { brief } from './brief.ts'
import { keyOf } from './managing.ts'
import { type Route, whole } from './question.ts'
import type { BeginningView, Json, TimersView, WaitingView } from './views.ts'

const pageMax = 100
const itemMax = 5000

export function reactionRoutes(inspection: Inspection): readonly (readonly [path: string, route: Route])[] {
  return [
    ['/api/reactions/waiting', (query) => waitingOf(inspection, query)],
    ['/api/reactions/timers', (query) => timersOf(inspection, query)],
  ]
}

const neverRun = (inspection: Inspection, key: string, hasBegun: boolean): { readonly beginning?: BeginningView } =>
  hasBegun ? {} : { beginning: beginningOf(inspection, key) }

async function reactionIn(inspection: Inspection, query: URLSearchParams) {
  const key = keyOf(inspection, 'reaction', query.get('reaction') ?? '')
  const { hasBegun, reactions } = await inspection.reaction(key)
  return { key, reactions, never: neverRun(inspection, key, hasBegun) }
}

const pageOf = (query: URLSearchParams) => {
  const after = query.get('after')
  return { limit: whole(query, 'limit', pageMax, pageMax), ...(after !== null && after !== '' && { after }) }
}

const item = (value: unknown): Json => brief(shown(value), itemMax).value

async function waitingOf(inspection: Inspection, query: URLSearchParams): Promise<WaitingView> {
  const { key, reactions, never } = await reactionIn(inspection, query)
  if (reactions === undefined) return { items: [], isElsewhere: false, ...never }
  const { waiting, next, leader } = await reactions.waiting(key, pageOf(query))
  const isElsewhere = typeof leader === 'object'
  return { items: waiting.map(item), ...(next !== undefined && { next }), isElsewhere, ...never }
}

async function timersOf(inspection: Inspection, query: URLSearchParams): Promise<TimersView> {
  const { key, reactions } = await reactionIn(inspection, query)
  if (reactions === undefined) return { timers: [] }
  const { timers, next } = await reactions.timers(key, pageOf(query))
  return { timers: timers.map(item), ...(next !== undefined && { next }) }
}
