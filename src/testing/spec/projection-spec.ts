/**
 * Given, then for a projection: events go in, rows come out, without a store, a clock or waiting. The events are folded
 * by the functions that a running projection uses, so a test sees what production would: events are turned into JSON
 * and back, rows are stored and read again between events, and a row that cannot be stored fails. It leaves out
 * failure policies and several processes: what a function throws comes out of `given`.
 *
 *     spec(Balances)
 *       .given(on('ada', Opened({ owner: 'Ada' }), Deposited({ amount: 100 })))
 *       .row('ada', { owner: 'Ada', balance: 100 })
 */
import { decode } from '../../domain/encoding.ts'
import type { NewEventOf } from '../../domain/event.ts'
import type { Json } from '../../domain/json.ts'
import { type AnyProjection, type Projection, type ProjectionShape, singleKey } from '../../domain/projection.ts'
import { foldOne, keyEvent } from '../../projection/rows/fold-rows.ts'
import { checkRowKey, storedKey } from '../../projection/stored/row-key.ts'
import { asStored, compare, shown } from './comparing.ts'
import { type Counts, type Given, type Happening, handlerOf, happenings, storedEvent, timeOf } from './history.ts'

/** What a spec of a projection can always do. Immutable: each method returns a new object. */
interface History<Kinds, Spec> {
  /**
   * Adds events to the history, recorded at the time set by `at`. `on` says on which stream they happened.
   *
   * @throws DefinitionError `OPTION_INVALID`; EventError `EVENT_INVALID`; what the projection's functions throw
   */
  given(...events: Given<NewEventOf<Kinds>>[]): Spec
  /** Sets the time of the events that follow. By default the beginning of 1970. */
  at(now: Date | string): Spec
}

/** A history, and expectations of the rows that it makes. An expectation that is not met throws an AssertionError. */
export interface ProjectionSpec<Row, Kinds> extends History<Kinds, ProjectionSpec<Row, Kinds>> {
  /** The row with this key equals this. `undefined`: there is no such row. */
  row(key: string, expected: Row | undefined): ProjectionSpec<Row, Kinds>
  /** There are exactly these rows, by their keys. */
  rows(expected: Readonly<Record<string, Row>>): ProjectionSpec<Row, Kinds>
}

/** A history, and an expectation of the one state that it makes. */
export interface StateSpec<State, Kinds> extends History<Kinds, StateSpec<State, Kinds>> {
  /** The state equals this. */
  state(expected: State): StateSpec<State, Kinds>
}

/** The spec of a projection, by its shape. */
export type SpecOfProjection<Row, Kinds, Shape extends ProjectionShape> = Shape extends 'state'
  ? StateSpec<Row, Kinds>
  : ProjectionSpec<Row, Kinds>

/** The history so far, and the rows that it makes. */
interface Known {
  readonly projection: AnyProjection
  /** The stored values of the rows, by their stored keys. */
  readonly stored: ReadonlyMap<string, Json>
  /** The keys of the rows, as `by` has returned them, by their stored keys. */
  readonly keys: ReadonlyMap<string, string>
  readonly counts: Counts
  readonly nowMs: number
  readonly events: readonly string[]
}

/** Begins a test of a projection, with no history. */
export function projectionSpec<Row, Kinds, Shape extends ProjectionShape>(
  projection: Projection<string, Row, Kinds, Shape>,
): SpecOfProjection<Row, Kinds, Shape> {
  const counts = { log: 0, streams: new Map() }
  return specOf({ projection, stored: new Map(), keys: new Map(), counts, nowMs: 0, events: [] }) as any
}

function specOf(known: Known): object {
  const { projection, stored, keys } = known
  const rowAt = (key: string) => {
    const value = stored.get(key)
    return value === undefined ? undefined : decode(value)
  }
  const tried = `${projection.name} after ${known.events.length === 0 ? 'no events' : known.events.join(', ')}`
  const spec = {
    given: (...events: Given<any>[]) => specOf(happenings(events).reduce(recorded, known)),
    at: (now: Date | string) => specOf({ ...known, nowMs: timeOf(now) }),
  }
  const rows = {
    row(key: string, expected: unknown) {
      checkRowKey(key)
      compare(tried, `the row ${shown(key)}`, rowAt(storedKey(key)), asStored(expected), rows.row)
      return made
    },
    rows(expected: Readonly<Record<string, unknown>>) {
      const all = Object.fromEntries(Array.from(stored.keys(), (key) => [keys.get(key)!, rowAt(key)]))
      compare(tried, 'the rows', all, asStored({ ...expected }), rows.rows)
      return made
    },
  }
  const state = {
    state(expected: unknown) {
      const value = rowAt(storedKey(singleKey)) ?? asStored(projection.initial())
      compare(tried, 'the state', value, asStored(expected), state.state)
      return made
    },
  }
  const made: object = Object.freeze({ ...spec, ...(projection.shape === 'state' ? state : rows) })
  return made
}

function recorded(known: Known, happening: Happening): Known {
  const { projection, nowMs } = known
  const { place, event } = happening
  const fold = handlerOf(`The projection ${projection.name}`, projection.folds, event)
  const { stored, counts } = storedEvent(fold.kind, happening, place.aggregate ?? 'spec', known.counts, nowMs)
  const keyed = keyEvent(projection, fold, stored)
  const after = new Map(known.stored)
  for (const { key, value } of foldOne(projection, keyed, {
    place: { store: { name: 'spec' }, storage: projection.name },
    values: known.stored,
  })) {
    if (value === undefined) after.delete(key)
    else after.set(key, value)
  }
  const keys = new Map([...known.keys, ...keyed.keys.map((key) => [storedKey(key), key] as const)])
  const told = `${event.type} on ${shown(place.id)}`
  return { ...known, stored: after, keys, counts, events: [...known.events, told] }
}
