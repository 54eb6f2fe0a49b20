/**
 * The states of streams by the code that is here, for the code that comes after it. Those of the streams that were
 * written last are computed, from all their events: a snapshot may have been made by other code. The work is bounded;
 * it is not told what is left out, but how much.
 */

import { setImmediate } from 'node:timers/promises'
import type { AnyAggregate, Json, StreamId } from '../../../src/index.ts'
import { wordsOf } from '../errors.ts'
import { applied, type Inspection, initialState, readEvents, shown } from '../inspection/index.ts'

/** A state, or why there is none. */
export interface StateByCode extends StreamId {
  /** The last event in it. */
  readonly sequence: number
  readonly state?: Json
  readonly failure?: string
}

export interface StatesByCode {
  /** When they were computed. */
  readonly at: string
  readonly states: readonly StateByCode[]
}

const streamsMax = 2000
/** How many events of the end of the log are looked at to find streams. */
const lookedAtMax = 100_000
/** How many events are folded. A stream with more than are left is left out. */
const foldedMax = 200_000
/** About how many characters the states have. */
const charactersMax = 50_000_000

/** @throws what the store throws, or the reason of the signal */
export async function statesBy(inspection: Inspection, signal: AbortSignal): Promise<StatesByCode> {
  const at = new Date().toISOString()
  const states: StateByCode[] = []
  let [foldsLeft, charactersLeft] = [foldedMax, charactersMax]
  for (const { stream, sequence } of await lastWritten(inspection, signal)) {
    if (sequence > foldsLeft) continue
    foldsLeft -= sequence
    const found = await stateByCode(inspection, stream, sequence, signal)
    charactersLeft -= JSON.stringify(found).length
    if (charactersLeft < 0) break
    states.push(found)
    // Whoever looks at the studio does not wait for this.
    await setImmediate()
  }
  return { at, states }
}

/** The streams of the newest events, with their last sequences. Those without code are left out. */
async function lastWritten(
  { store, domain }: Inspection,
  signal: AbortSignal,
): Promise<readonly { readonly stream: StreamId; readonly sequence: number }[]> {
  const names = Object.values(domain?.aggregates ?? {}).map(({ name }) => name)
  const found = new Map<string, { readonly stream: StreamId; readonly sequence: number }>()
  const query = { aggregates: names, direction: 'backward', limit: lookedAtMax, signal } as const
  for await (const { stream, sequence } of readEvents(store, query)) {
    const key = JSON.stringify([stream.aggregate, stream.id])
    if (!found.has(key)) found.set(key, { stream, sequence })
    if (found.size >= streamsMax) break
  }
  return [...found.values()]
}

/** The state of a stream after an event, by the code that is here. */
export async function stateByCode(
  inspection: Inspection,
  { aggregate, id }: StreamId,
  sequence: number,
  signal: AbortSignal,
): Promise<StateByCode> {
  const { store, domain } = inspection
  const code: AnyAggregate | undefined = Object.values(domain!.aggregates).find(({ name }) => name === aggregate)
  const place = { aggregate, id, sequence }
  if (code === undefined) return { ...place, failure: 'There is no code for it any more' }
  let at = 0
  try {
    let state = initialState(code)
    for await (const stored of readEvents(store, { stream: { aggregate, id }, to: sequence + 1, signal })) {
      at = stored.sequence
      state = applied(code, state, domain!.upcast(stored))
    }
    return { ...place, state: shown(state) }
  } catch (error) {
    signal.throwIfAborted()
    const message = wordsOf(error)
    return { ...place, failure: at === 0 ? message : `At sequence ${at}: ${message}` }
  }
}
