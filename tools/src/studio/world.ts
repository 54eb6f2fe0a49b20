/** A world beside the real one: what would be if other commands had been sent, or other events had been stored. */

import type { EventStore, StreamId } from '../../../src/index.ts'
import { wordsOf } from '../errors.ts'
import { changesBetween, type Fork, fork, type Inspection, readEvents, shown, stateAt } from '../inspection/index.ts'
import { brief, briefChanges } from './brief.ts'
import { briefOutcome, outcomeOf } from './commands.ts'
import { briefEventView } from './event-view.ts'
import type { EventView, Json, OutcomeView, SideView, TriedCommand, WorldQuestion, WorldView } from './views.ts'

/** How many characters of a state are shown. */
const stateMax = 200_000
/** How many events of each world are listed. */
const eventsMax = 100
const changesMax = 200

/**
 * Makes the world, sends its commands, and compares it with the real one. Nothing of it is stored.
 *
 * @throws ToolsError `DOMAIN_NEEDED`, `AGGREGATE_UNKNOWN`; what the store throws
 */
export async function worldView(
  inspection: Inspection,
  { aggregate, id, sequence, edits, commands }: WorldQuestion,
  signal: AbortSignal,
): Promise<WorldView> {
  const stream = inspection.stream(aggregate, id)
  const [ended] = await inspection.store.streamEnds([stream])
  await using world = await fork(inspection, stream, sequence, { edits, signal })
  const stateThere = () => stateOf(async () => shown((await world.read(stream)).state))
  const { state: before } = await stateThere()
  const outcomes = await outcomesIn(world, commands, before, signal)
  const differsFrom = Math.min(world.sequence + 1, ...edits.map((edit) => edit.sequence))
  const between = async (store: EventStore, end: number) => {
    const range = { from: differsFrom, to: end + 1 }
    return { end, ...(await eventsOf(inspection, store, stream, range, signal)) }
  }
  const real = {
    ...(await between(inspection.store, ended!.sequence)),
    ...(await stateOf(async () => (await stateAt(inspection, stream)).state)),
  }
  const other = {
    ...(await between(world.store, outcomes.at(-1)?.sequence ?? world.sequence)),
    ...(await stateThere()),
  }
  const { changes, more } = changesBetween(real.state ?? null, other.state ?? null, changesMax)
  return {
    ...(before !== undefined && { before: brief(before, stateMax).value }),
    outcomes: outcomes.map(briefOutcome),
    differsFrom,
    real: briefState(real),
    other: briefState(other),
    changes: briefChanges(changes),
    more,
  }
}

const briefState = <View extends { readonly state?: Json }>(view: View): View =>
  view.state === undefined ? view : { ...view, state: brief(view.state, stateMax).value }

async function outcomesIn(
  world: Fork,
  commands: readonly TriedCommand[],
  before: Json | undefined,
  signal: AbortSignal,
): Promise<readonly OutcomeView[]> {
  const outcomes: OutcomeView[] = []
  let last: Pick<OutcomeView, 'sequence' | 'state'> = {
    sequence: world.sequence,
    ...(before !== undefined && { state: before }),
  }
  for (const { name, data } of commands) {
    signal.throwIfAborted()
    const outcome = await outcomeOf(world, { ...world.stream, name, data }, last)
    outcomes.push(outcome)
    last = outcome
  }
  return outcomes
}

/** A state, or why there is none. */
async function stateOf(read: () => Promise<Json>): Promise<Pick<SideView, 'state' | 'failure'>> {
  try {
    return { state: await read() }
  } catch (error) {
    return { failure: wordsOf(error) }
  }
}

async function eventsOf(
  inspection: Inspection,
  store: EventStore,
  stream: StreamId,
  { from, to }: { readonly from: number; readonly to: number },
  signal: AbortSignal,
): Promise<Pick<SideView, 'events' | 'more'>> {
  const events: EventView[] = []
  for await (const stored of readEvents(store, { stream, from, to, limit: eventsMax, signal }))
    events.push(briefEventView(inspection, stored))
  return { events, more: Math.max(0, to - from - events.length) }
}
