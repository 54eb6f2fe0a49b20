/** Rows of projections, and the events that made them. */
import type { AnyProjection, FoundPage, Query } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import { type Inspection, shown } from '../inspection/index.ts'
import { brief } from './brief.ts'
import { pathIn, type Route, whole } from './question.ts'
import { RowLine } from './row-line.ts'
import type { RowsView } from './views.ts'

const rowsMax = 50
const rowMax = 5000
const stepsMax = 200
const reasonsMax = 20
/** How many rows keep what is known of them. */
const linesMax = 8

export function rowRoutes(inspection: Inspection): readonly (readonly [path: string, route: Route])[] {
  const lines = new Map<string, RowLine>()
  const lineOf = (query: URLSearchParams): RowLine => {
    const projection = foldingProjection(inspection, query)
    const key = projection.shape === 'state' ? '' : (query.get('key') ?? '')
    const name = JSON.stringify([projection.name, key])
    const ownKey = projection.shape === 'state' ? undefined : key
    const line = lines.get(name) ?? new RowLine(inspection, projection, ownKey)
    // The last used is at the end.
    lines.delete(name)
    lines.set(name, line)
    if (lines.size > linesMax) lines.delete(lines.keys().next().value!)
    return line
  }
  return [
    ['/api/rows', (query) => rowsOf(inspection, query)],
    ['/api/row/end', (query, signal) => lineOf(query).end(signal)],
    [
      '/api/row/steps',
      (query, signal) => {
        const from = Math.max(1, whole(query, 'from', 1))
        return lineOf(query).steps(from, from + whole(query, 'count', 100, stepsMax), signal)
      },
    ],
    [
      '/api/row/reasons',
      (query, signal) => lineOf(query).reasons(pathIn(query), whole(query, 'sequence', 0), reasonsMax, signal),
    ],
  ]
}

/** The projection of a question, by its name. @throws ToolsError `FOLLOWER_UNKNOWN`, `USAGE` */
function projectionOf({ domain }: Inspection, query: URLSearchParams): readonly [key: string, projection: object] {
  const name = query.get('projection') ?? ''
  const found = Object.entries(domain?.projections ?? {}).find(([, each]) => each.name === name)
  if (found !== undefined) return found
  throw new ToolsError('FOLLOWER_UNKNOWN', `The domain has no projection ${JSON.stringify(name)}`)
}

function foldingProjection(inspection: Inspection, query: URLSearchParams): AnyProjection {
  const [, projection] = projectionOf(inspection, query)
  if ('keysOf' in projection) return projection as AnyProjection
  throw new ToolsError('USAGE', 'A projection as code keeps tables of its own')
}

/** The rows in the order of their keys. A projection with one state has one row. */
async function rowsOf(inspection: Inspection, query: URLSearchParams): Promise<RowsView> {
  const { shape } = foldingProjection(inspection, query)
  const [key] = projectionOf(inspection, query)
  const model = (await inspection.projections()).readModel(key) as {
    state(): Promise<unknown>
    get(key: string): Promise<unknown>
    find(query: Query<never>): Promise<FoundPage<unknown>>
  }
  const shownRow = (row: unknown) => brief(shown(row), rowMax).value
  if (shape === 'state') return { rows: [{ key: '', row: shownRow(await model.state()) }] }
  const wanted = query.get('key') ?? ''
  if (wanted !== '') {
    const row = await model.get(wanted)
    return { rows: row === undefined ? [] : [{ key: wanted, row: shownRow(row) }] }
  }
  const page = await model.find({ limit: rowsMax, after: query.get('after') || undefined })
  const rows = page.rows.map((found) => ({ key: found.key, row: shownRow(found.row) }))
  return { rows, ...(page.next !== undefined && { next: page.next }) }
}
