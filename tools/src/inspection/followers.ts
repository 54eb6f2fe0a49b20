/** Where projections and reactions are, as JSON. Asking stores nothing. */
import type { Beginning, ProjectionStatus } from '../../../src/index.ts'
import type { Inspection } from './inspection.ts'

export type FollowerKind = 'projection' | 'reaction'

/** Where a reaction begins that has never run. */
export type BeginningView = 'first' | 'now' | number | { readonly time: string }

/** A status as it can be known from outside. What a process does with it at the moment is left out. */
export interface FollowerStatus {
  readonly kind: FollowerKind
  /** Its key in the domain. */
  readonly name: string
  /** Absent, with `lag` and `parked`, if it was handled by a program that this one cannot stand in for (`failure`). */
  readonly position?: number
  readonly head: number
  /** Absent, with `parked`, if nothing can be asked, because that would store where a reaction begins. */
  readonly lag?: ProjectionStatus['lag']
  readonly parked?: number
  /** Since when it is paused in all processes: a time as in `2026-01-31T12:00:00.000Z`. */
  readonly pausedSince?: string
  /** Why it stands still. */
  readonly failure?: { readonly code: string; readonly message: string }
  /** Only of a reaction that has never run. */
  readonly beginning?: BeginningView
}

/** The rows or the events of another program: this one has not read where it is. */
const unread: readonly unknown[] = ['PROJECTION_OUTDATED', 'PROJECTION_CHANGED']

/** A status as JSON. */
function statusValue(kind: FollowerKind, name: string, status: ProjectionStatus): FollowerStatus {
  const { position, head, lag, parked, pausedSince, failure } = status
  const paused = pausedSince && { pausedSince: pausedSince.toISOString() }
  const failed = failure && { failure: { code: failure.code, message: failure.message } }
  const place = unread.includes(failure?.code) ? { head } : { position, head, lag, parked }
  return { kind, name, ...place, ...paused, ...failed }
}

/**
 * The status of a projection or reaction, by its key in the domain.
 *
 * @throws ToolsError `DOMAIN_NEEDED`
 */
export async function statusOf(inspection: Inspection, kind: FollowerKind, key: string): Promise<FollowerStatus> {
  if (kind === 'projection')
    return statusValue(kind, key, await (await inspection.projections()).projections.status(key))
  const { hasBegun, reactions } = await inspection.reaction(key)
  const beginning = hasBegun ? {} : { beginning: beginningOf(inspection, key) }
  if (reactions !== undefined) return { ...statusValue(kind, key, await reactions.status(key)), ...beginning }
  return { kind, name: key, position: 0, head: await inspection.store.head(), ...beginning }
}

/** Where a reaction begins, as its code declares it. */
export function beginningOf({ domain }: Pick<Inspection, 'domain'>, key: string): BeginningView {
  const { beginning }: { readonly beginning: Beginning } = domain!.reactions[key]!
  return beginning instanceof Date ? { time: beginning.toISOString() } : beginning
}
