/**
 * What other parts of this package may know of a running domain: its definition, its store and how busy it is. It is
 * found by the object that `start` returns, which shows none of it to users.
 */
import type { RecordedEvent } from '../domain/event.ts'
import { refuseOption } from '../domain/options.ts'
import type { StreamId } from '../domain/stream.ts'
import type { AnyRow, FoundPage, Query } from '../projection/reading/query.ts'
import type { WaitOptions } from '../projection/running/status.ts'
import type { EventStore, StoredEvent } from '../store/store.ts'
import type { Aggregates, ProjectionsByName } from './running.ts'

export interface Inside {
  readonly aggregates: Aggregates
  readonly projections: ProjectionsByName
  /** The events, with personal values found. */
  readonly store: EventStore
  /** Aborted when the domain begins to stop. */
  readonly stopped: AbortSignal
  /**
   * A stored event as callers get it.
   *
   * @throws EventError `EVENT_UNREADABLE`
   */
  readable(stored: StoredEvent): RecordedEvent
  /** How many commands wait for an aggregate in this process. */
  waiting(stream: StreamId): number
  /** `find` of a projection, whose page also ends with the row with which it has so many characters of JSON. */
  find(projection: string, query: Query<AnyRow>, wait: WaitOptions, charactersMax: number): Promise<FoundPage<unknown>>
}

const insides = new WeakMap<object, Inside>()

/** Remembers what is inside a running domain. */
export function rememberInside(running: object, inside: Inside): void {
  insides.set(running, inside)
}

/** Whether a running domain takes no commands any more, because it stops or was stopped. */
export const isStopping = (running: object): boolean => insides.get(running)?.stopped.aborted === true

/** @throws DefinitionError `OPTION_INVALID` if it is not a running domain */
export function insideOf(running: unknown): Inside {
  const inside = typeof running === 'object' && running !== null ? insides.get(running) : undefined
  return inside ?? refuseOption('bank', 'a running domain, which domain(...).start(...) returned', running)
}
