/** What states and rows the events make, by the functions of the domain alone: what a run is compared with. */
import type { AnyAggregate } from '../../domain/aggregate.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import { HandledKinds } from '../../domain/handled-kinds.ts'
import type { AnyProjection } from '../../domain/projection.ts'
import { evolved } from '../../kernel/evolved.ts'
import { eventOf } from '../../kernel/rehydrate.ts'
import { deepFreeze } from '../../runtime/freeze.ts'
import type { StoredEvent } from '../../store/store.ts'

/** The state before the first event of a stream, then after each, up to the first that the definition does not know. */
export function statesOf({ folds, initial }: AnyAggregate, events: readonly StoredEvent[]): readonly unknown[] {
  const states: unknown[] = [deepFreeze(initial())]
  for (const stored of events) {
    const fold = folds.get(stored.type)
    if (fold === undefined || stored.revision > fold.kind.revisions.length) break
    const event = { ...eventOf(fold.kind, stored), position: 0 }
    states.push(deepFreeze(evolved(fold, states.at(-1), event)))
  }
  return states
}

/** Some events as callers get them; nothing if the definition does not know one of them. */
export function recordedOf(
  { folds }: AnyAggregate,
  events: readonly StoredEvent[],
): readonly RecordedEvent[] | undefined {
  const isKnown = ({ type, revision }: StoredEvent) => revision <= (folds.get(type)?.kind.revisions.length ?? 0)
  return events.every(isKnown) ? events.map((event) => eventOf(folds.get(event.type)!.kind, event)) : undefined
}

/**
 * The rows of a projection by key, after some events.
 *
 * @param left positions that are left out
 */
export function rowsAfter(
  projection: AnyProjection,
  aggregates: readonly AnyAggregate[],
  events: readonly StoredEvent[],
  left: ReadonlySet<number>,
): ReadonlyMap<string, unknown> {
  const kinds = new HandledKinds(`The projection ${projection.name}`, projection.folds.values(), aggregates)
  const rows = new Map<string, unknown>()
  for (const stored of events) {
    const fold = kinds.of(stored)
    if (fold === undefined || left.has(stored.position)) continue
    const event = eventOf(fold.kind, stored)
    for (const key of projection.keysOf(event)) {
      const row = fold.evolve(rows.get(key) ?? projection.initial(), event.data, event)
      if (row === undefined) rows.delete(key)
      else rows.set(key, row)
    }
  }
  return rows
}
