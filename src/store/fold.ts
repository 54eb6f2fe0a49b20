/** Reads from end to end, page by page. Memory holds one page at a time. Events appended meanwhile are seen too. */
import { checkKeys } from '../domain/options.ts'
import type { StreamId } from '../domain/stream.ts'
import { everything, type Range } from './range.ts'
import type { EventStore, ReadAllOptions, StoredEvent } from './store.ts'

/** The range to read, and the number of events to read at once (1,000 by default). */
export interface FoldOptions {
  readonly range?: Range
  readonly pageSize?: number
  readonly signal?: AbortSignal
}

export interface FoldAllOptions extends FoldOptions, Pick<ReadAllOptions, 'types' | 'aggregates' | 'tags'> {}

const pageSizeDefault = 1000

/** Folds the events of one stream, oldest first. */
export async function fold<State>(
  store: EventStore,
  stream: StreamId,
  initial: State,
  step: (state: State, event: StoredEvent) => State,
  options: FoldOptions = {},
): Promise<State> {
  checkKeys('fold(..., options)', options, ['range', 'pageSize', 'signal'])
  const { range = everything, pageSize = pageSizeDefault, signal } = options
  let state = initial
  for (let from = range.from; from < range.to; ) {
    const events = await store.readStream(
      stream,
      { from, to: range.to },
      { limit: pageSize, ...(signal && { signal }) },
    )
    for (const event of events) state = step(state, event)
    const last = events.at(-1)
    if (last === undefined || events.length < pageSize) break
    from = last.sequence + 1
  }
  return state
}

/** Folds the global log, oldest first, up to its end at the time when the reader reaches it. */
export async function foldAll<State>(
  store: EventStore,
  initial: State,
  step: (state: State, event: StoredEvent) => State,
  options: FoldAllOptions = {},
): Promise<State> {
  checkKeys('foldAll(..., options)', options, ['range', 'pageSize', 'signal', 'types', 'aggregates', 'tags'])
  const { range = everything, pageSize = pageSizeDefault, ...filters } = options
  let state = initial
  for (let from = range.from; from < range.to; ) {
    const { events, examined, isLast } = await store.readAll({ from, to: range.to }, { ...filters, limit: pageSize })
    for (const event of events) state = step(state, event)
    if (isLast) break
    from = examined + 1
  }
  return state
}
