/**
 * States of a stream, computed by the domain's own code: at a sequence or a time, and along the stream with what each
 * event changed.
 */
import type { Json, RecordedEvent, StreamId } from '../../../src/index.ts'
import { applied } from './applied.ts'
import { type Changes, changesBetween } from './changes.ts'
import type { Inspection, StateReading } from './inspection.ts'
import { readEvents } from './reading.ts'
import { shown } from './shown.ts'

/** A point of a stream: after the event with this sequence, or at this time. A point after the end means the end. */
export interface StatePoint {
  readonly sequence?: number
  readonly time?: Date
}

/** A state to look at. */
export interface StateView {
  readonly stream: StreamId
  readonly state: Json
  /** The sequence and position of the last event in it; 0 if there is none. */
  readonly sequence: number
  readonly position: number
}

/**
 * The state of a stream, the newest by default.
 *
 * @throws ToolsError `DOMAIN_NEEDED`; what loading throws
 */
export async function stateAt(inspection: Inspection, stream: StreamId, at: StatePoint = {}): Promise<StateView> {
  const { state, sequence, position } = await readState(inspection, stream, at)
  return { stream, state: shown(state), sequence, position }
}

/** The same as the domain's code has it. */
export async function readState(inspection: Inspection, stream: StreamId, at: StatePoint = {}): Promise<StateReading> {
  return (await inspection.aggregates()).read(stream, at)
}

/** What one event did. */
export interface StateStep extends Changes {
  /** Upcast to its newest revision. */
  readonly event: RecordedEvent
  /** The state after it. */
  readonly state: Json
}

/** Which steps: those of the events with sequences in `[from, to)`, all by default. */
export interface StepsQuery {
  readonly from?: number
  readonly to?: number
  /** The greatest number of changes that are listed for one event, 1,000 by default. */
  readonly changesMax?: number
  readonly signal?: AbortSignal
}

/**
 * The events of a stream, in order, each with the state after it and what it changed. Memory holds one page.
 *
 * @throws ToolsError `DOMAIN_NEEDED`; what loading throws
 */
export async function* stateSteps(
  inspection: Inspection,
  stream: StreamId,
  { from = 1, to, changesMax, signal }: StepsQuery = {},
): AsyncGenerator<StateStep, void, void> {
  const first = Math.max(from, 1)
  let state = (await readState(inspection, stream, { sequence: first - 1 })).state
  let before = shown(state)
  const query = { stream, from: first, ...(to !== undefined && { to }), ...(signal && { signal }) }
  const aggregates = Object.values(inspection.domain!.aggregates)
  const aggregate = aggregates.find(({ name }) => name === stream.aggregate)!
  for await (const stored of readEvents(inspection.store, query)) {
    const event = inspection.domain!.upcast(stored)
    state = applied(aggregate, state, event)
    const after = shown(state)
    yield { event, state: after, ...changesBetween(before, after, changesMax) }
    before = after
  }
}
