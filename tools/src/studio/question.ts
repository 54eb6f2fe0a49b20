/** The questions of the page, and how their parts are read. */
import { ToolsError } from '../errors.ts'
import type { EventQuery } from '../inspection/index.ts'
import type { ChangeView } from './views.ts'

/** Answers one question. Every answer is bounded. */
export type Route = (query: URLSearchParams, signal: AbortSignal) => Promise<object>

/** The filters of a question for events. */
export function filtersOf(query: URLSearchParams): Pick<EventQuery, 'types' | 'aggregates' | 'tags'> {
  const [types, aggregates, tags] = ['type', 'aggregate', 'tag'].map((name) => query.getAll(name).filter(Boolean))
  return {
    ...(types!.length > 0 && { types: types! }),
    ...(aggregates!.length > 0 && { aggregates: aggregates! }),
    ...(tags!.length > 0 && { tags: tags! }),
  }
}

/** A path in a state, as JSON. */
export function pathIn(query: URLSearchParams): ChangeView['path'] {
  const isPart = (part: unknown) => typeof part === 'string' || typeof part === 'number'
  try {
    const path: unknown = JSON.parse(query.get('path') ?? '')
    if (Array.isArray(path) && path.every(isPart)) return path
  } catch {
    // It is told below.
  }
  throw new ToolsError('USAGE', 'path must be a list of keys and indexes')
}

/** A whole number of the question. */
export function whole(
  query: URLSearchParams,
  name: string,
  otherwise: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  const text = query.get(name)
  if (text === null || text === '') return otherwise
  const number = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return Math.min(number, most)
  throw new ToolsError('USAGE', `${name} must be a whole number`)
}
