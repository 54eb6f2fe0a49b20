/** Where all projections and reactions are, and what projections have put aside. */
import { type ParkedEvent, ProjectionError } from '../../../src/index.ts'
import { type FollowerKind, type Inspection, statusOf } from '../inspection/index.ts'
import { briefText } from './brief.ts'
import type { FollowerView, ParkedView } from './views.ts'

export async function followersOf(inspection: Inspection): Promise<readonly FollowerView[]> {
  const { projections = {}, reactions = {} } = inspection.domain ?? {}
  const views = (kind: FollowerKind, definitions: Readonly<Record<string, { readonly name: string }>>) =>
    Object.entries(definitions).map(async ([key, { name }]): Promise<FollowerView> => {
      const { lag, failure, ...status } = await statusOf(inspection, kind, key)
      return { ...status, name, ...(lag && { lagMs: lag.ms }), ...(failure && { failure: failure.message }) }
    })
  return Promise.all([...views('projection', projections), ...views('reaction', reactions)])
}

const parkedMax = 100
const reasonMax = 2000

/** The first parked events of each projection. */
export async function parkedOf(inspection: Inspection): Promise<readonly ParkedView[]> {
  const { domain } = inspection
  if (domain === undefined) return []
  const { projections } = await inspection.projections()
  const all = Object.entries(domain.projections).map(async ([key, { name }]) =>
    (await readable(projections.parked(key))).slice(0, parkedMax).map(
      ({ position, type, stream, reason, parkedAt }): ParkedView => ({
        projection: name,
        position,
        ...stream,
        type,
        reason: briefText(reason, reasonMax),
        parkedAt: parkedAt.toISOString(),
      }),
    ),
  )
  return (await Promise.all(all)).flat()
}

/** None if this program cannot read them. Its status says why, and what others have parked is not hidden. */
async function readable(parked: Promise<readonly ParkedEvent[]>): Promise<readonly ParkedEvent[]> {
  try {
    return await parked
  } catch (error) {
    if (error instanceof ProjectionError) return []
    throw error
  }
}
