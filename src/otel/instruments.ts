/** Counts and measures observations. Durations are in seconds, as the semantic conventions want. */
import type { Attributes, Meter } from '@opentelemetry/api'
import type {
  BatchStarted,
  CommandStarted,
  ForwardStarted,
  Observation,
  ReactionStarted,
  RebuildStarted,
  StepStarted,
  TimerStarted,
} from '../runtime/observation.ts'
import { commandAttributes, errorType, systemOf } from './attributes.ts'

/** In seconds. A command takes less than a millisecond in memory, and tens of them over a network. */
const durations = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]

export class Instruments {
  readonly #instruments: ReturnType<typeof instrumentsOf>

  constructor(meter: Meter) {
    this.#instruments = instrumentsOf(meter)
  }

  /** @param started the observation of the start, for one of an end */
  observe(observed: Observation, started: Observation | undefined): void {
    const { command, append, load, step, events, reaction, timer, forward, snapshot, rebuild } = this.#instruments
    switch (observed.kind) {
      case 'command ended': {
        const { stream, command: name } = started as CommandStarted
        const { outcome, code, tookMs, waitedMs, conflicts } = observed
        const of = commandAttributes(stream, name)
        const answer = {
          'mneme.outcome': outcome,
          ...(outcome === 'rejected' && code !== undefined && { 'mneme.rejection': code }),
        }
        command.duration.record(tookMs / 1000, { ...of, ...answer, ...failed(observed.error) })
        if (waitedMs !== undefined) command.wait.record(waitedMs / 1000, of)
        if (conflicts > 0) command.conflicts.add(conflicts, of)
        return
      }
      case 'batch ended': {
        const { store, commandIds, events: count } = started as BatchStarted
        const of = { 'db.system.name': systemOf(store), 'db.operation.name': 'append' }
        append.duration.record(observed.tookMs / 1000, { ...of, ...failed(observed.error) })
        append.size.record(commandIds.length, of)
        append.events.add(count, of)
        return
      }
      case 'load ended':
        load.record(observed.tookMs / 1000, {
          'mneme.snapshot': observed.snapshot !== undefined,
          ...failed(observed.error),
        })
        return
      case 'step ended': {
        const { of: follower, name } = started as StepStarted
        const of = { [`mneme.${follower}`]: name }
        // A look that finds nothing is not work.
        if (observed.events > 0 || observed.error !== undefined)
          step.record(observed.tookMs / 1000, { ...of, ...failed(observed.error) })
        if (observed.events > 0) events.add(observed.events, of)
        return
      }
      case 'reaction ended': {
        const of = { 'mneme.reaction': (started as ReactionStarted).reaction, 'mneme.outcome': observed.outcome }
        reaction.record(observed.tookMs / 1000, { ...of, ...failed(observed.error) })
        return
      }
      case 'timer ended': {
        const { reaction: name, dueAtMs } = started as TimerStarted
        const lateMs = Math.max(0, observed.atMs - observed.tookMs - dueAtMs)
        timer.record(lateMs / 1000, { 'mneme.reaction': name, 'mneme.outcome': observed.outcome })
        return
      }
      case 'forward ended': {
        const { stream, command: name } = started as ForwardStarted
        const of = { ...commandAttributes(stream, name), 'mneme.outcome': observed.outcome }
        forward.record(observed.tookMs / 1000, of)
        return
      }
      case 'snapshot ended':
        snapshot.record(observed.tookMs / 1000, failed(observed.error))
        return
      case 'rebuild ended': {
        const { projection, why } = started as RebuildStarted
        const of = { 'mneme.projection': projection, 'mneme.rebuild.reason': why }
        rebuild.record(observed.tookMs / 1000, { ...of, ...failed(observed.error) })
        return
      }
      default:
        this.#count(observed)
    }
  }

  #count(observed: Observation): void {
    const { passivations, retries, warnings } = this.#instruments
    if (observed.kind === 'passivation')
      passivations.add(1, { 'mneme.aggregate': observed.stream.aggregate, 'mneme.passivation.reason': observed.reason })
    else if (observed.kind === 'retry') retries.add(1, { 'mneme.follower': observed.called, ...failed(observed.error) })
    else if (observed.kind === 'warning')
      warnings.add(1, { 'mneme.warning.code': observed.code, 'mneme.warning.level': observed.level })
  }
}

const failed = (error: unknown): Attributes => (error === undefined ? {} : { 'error.type': errorType(error) })

function instrumentsOf(meter: Meter) {
  const duration = (name: string, description: string) =>
    meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: durations } })
  const count = (name: string, description: string, unit: string) => meter.createCounter(name, { description, unit })
  return {
    command: {
      duration: duration('mneme.command.duration', 'From sending a command to its answer.'),
      wait: duration('mneme.command.wait.duration', 'From sending a command to its first decision.'),
      conflicts: count('mneme.command.conflicts', 'Decisions in vain, because another process wrote.', '{conflict}'),
    },
    append: {
      duration: duration('db.client.operation.duration', 'Appends of the store.'),
      size: meter.createHistogram('mneme.append.batch.size', {
        description: 'Commits that go to the store together.',
        unit: '{commit}',
        advice: { explicitBucketBoundaries: sizes },
      }),
      events: count('mneme.append.events', 'Events sent to the store.', '{event}'),
    },
    load: duration('mneme.load.duration', 'Loading the state of an aggregate.'),
    step: duration('mneme.step.duration', 'Steps of projections and reactions that handle events.'),
    events: count('mneme.step.events', 'Events handled by projections and reactions.', '{event}'),
    reaction: duration('mneme.reaction.duration', 'A reaction handles an event.'),
    timer: duration('mneme.timer.delay', 'How late scheduled commands are sent.'),
    forward: duration('mneme.cluster.forward.duration', 'Commands sent to other processes of the cluster.'),
    snapshot: duration('mneme.snapshot.duration', 'Saving a snapshot.'),
    rebuild: duration('mneme.rebuild.duration', 'Building the rows of a projection again.'),
    passivations: count('mneme.aggregate.passivations', 'Aggregates that left memory.', '{aggregate}'),
    retries: count('mneme.retries', 'Failures of projections and reactions that are tried again.', '{retry}'),
    warnings: count('mneme.warnings', 'What is logged, by its code.', '{warning}'),
  }
}
