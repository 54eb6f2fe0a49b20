/** What is asked of a running domain when metrics are collected: what lives, what waits, and what is behind. */
import { type Attributes, type BatchObservableCallback, diag, type Meter, type Observable } from '@opentelemetry/api'
import type { Load, Managed, Reactions } from '../application/running.ts'
import type { ClusterStatus } from '../cluster/status.ts'

/** What is asked of a running domain. */
export interface Watched {
  load(): Load
  readonly cluster: { status(): ClusterStatus }
  readonly projections: Pick<Managed<string>, 'names' | 'status'>
  readonly reactions: Pick<Reactions<string>, 'names' | 'status' | 'timers'>
}

/** How many timers are counted. */
const timersMax = 1000

/** Measures a domain at each collection. @returns a function that ends that */
export function watch(meter: Meter, watched: Watched, now: () => number): () => void {
  const gauges = gaugesOf(meter)
  const all: Observable[] = Object.values(gauges)
  const measure: BatchObservableCallback = async (result) => {
    const set = (gauge: keyof typeof gauges, value: number, attributes?: Attributes) =>
      result.observe(gauges[gauge], value, attributes)
    const parts = [
      () => measureProcess(watched, set),
      ...watched.projections.names.map(
        (name) => async () => measureFollower(await watched.projections.status(name), 'projection', name, set),
      ),
      ...watched.reactions.names.flatMap((name) => [
        async () => measureFollower(await watched.reactions.status(name), 'reaction', name, set),
        async () => measureTimers(await watched.reactions.timers(name, { limit: timersMax }), name, now(), set),
      ]),
    ]
    // One part that cannot be asked, because its store does not answer, hides no other.
    await Promise.all(
      parts.map(async (part) => part()).map((asked) => asked.catch((error) => diag.warn('mneme: not measured', error))),
    )
  }
  meter.addBatchObservableCallback(measure, all)
  return () => meter.removeBatchObservableCallback(measure, all)
}

type Set = (gauge: keyof ReturnType<typeof gaugesOf>, value: number, attributes?: Attributes) => void

function measureProcess(watched: Watched, set: Set): void {
  const { liveAggregates, commandsInFlight } = watched.load()
  set('live', liveAggregates)
  set('inFlight', commandsInFlight)
  const { self, members, shardsTakenOver, commandsForwarded, longestPauseMs } = watched.cluster.status()
  set('members', members.length)
  for (const [aggregate, shards] of Object.entries(members.find(({ id }) => id === self)?.shards ?? {}))
    set('shards', shards, { 'mneme.aggregate': aggregate })
  set('takenOver', shardsTakenOver)
  set('forwarded', commandsForwarded)
  set('pause', longestPauseMs / 1000)
}

function measureFollower(
  { lag, parked, state }: Awaited<ReturnType<Watched['projections']['status']>>,
  kind: 'projection' | 'reaction',
  name: string,
  set: Set,
): void {
  const of = { [`mneme.${kind}`]: name }
  set('lagEvents', lag.events, of)
  set('lag', lag.ms / 1000, of)
  set('parked', parked, of)
  set('state', 1, { ...of, 'mneme.state': state })
}

/** Timers come in the order in which they are due. */
function measureTimers(
  { timers }: Awaited<ReturnType<Watched['reactions']['timers']>>,
  name: string,
  now: number,
  set: Set,
): void {
  const of = { 'mneme.reaction': name }
  const due = timers.filter(({ dueAt }) => dueAt.getTime() <= now)
  set('timers', timers.length, of)
  set('due', due.length, of)
  set('overdue', due.length === 0 ? 0 : (now - due[0]!.dueAt.getTime()) / 1000, of)
}

function gaugesOf(meter: Meter) {
  const gauge = (name: string, description: string, unit: string) =>
    meter.createObservableGauge(name, { description, unit })
  return {
    live: gauge('mneme.aggregate.live', 'Aggregates in memory.', '{aggregate}'),
    inFlight: gauge('mneme.command.in_flight', 'Commands that wait for their answer.', '{command}'),
    lagEvents: gauge('mneme.lag.events', 'Positions of the log that are not handled yet.', '{event}'),
    lag: gauge('mneme.lag.time', 'Age of the oldest event that is not handled yet.', 's'),
    parked: gauge('mneme.parked', 'Parked events.', '{event}'),
    state: gauge('mneme.state', '1 for the state in which a projection or reaction is.', '1'),
    timers: gauge('mneme.timer.scheduled', `Scheduled commands, up to ${timersMax}.`, '{command}'),
    due: gauge('mneme.timer.due', `Scheduled commands that are due, up to ${timersMax}.`, '{command}'),
    overdue: gauge('mneme.timer.overdue', 'How long the first of them has been due.', 's'),
    members: gauge('mneme.cluster.members', 'Processes of the cluster.', '{process}'),
    shards: gauge('mneme.cluster.shards', 'Shards that this process owns, of 256.', '{shard}'),
    takenOver: gauge('mneme.cluster.shards.taken_over', 'Shards that are not with their usual owner.', '{shard}'),
    forwarded: meter.createObservableCounter('mneme.cluster.commands.forwarded', {
      description: 'Commands sent to other processes.',
      unit: '{command}',
    }),
    pause: gauge('mneme.cluster.pause.longest', 'The longest wait for a new owner.', 's'),
  }
}
