/** The options of `start`. Each has a default. */
import type { DomainCluster } from '../cluster/cluster.ts'
import type { AggregateOptions } from '../domain/aggregate.ts'
import { aggregateOptions, checkAggregateOptions } from '../domain/aggregate.ts'
import { checkFlag, checkKeys, checkOption, checkWhole, refuseOption } from '../domain/options.ts'
import type { KernelLimits } from '../kernel/limits.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Observe, Observer } from '../runtime/observation.ts'
import { memory } from '../store/memory/index.ts'
import type { StoreFactory } from '../store/store.ts'

/** `snapshotEvery`, `stateRevision` and `passivateAfterMs` are defaults for aggregates that do not set them. */
export interface StartOptions extends AggregateOptions {
  /** The store for everything. By default `memory()`, which loses its data when the process ends. */
  readonly store?: StoreFactory
  /** The store for events and projections, if it is not `store`. */
  readonly events?: StoreFactory
  /** The store for snapshots, if it is not `store`. */
  readonly snapshots?: StoreFactory
  /** The store for the keys of personal fields, if it is not `events`. A backup of `events` then has no keys. */
  readonly keys?: StoreFactory
  /** Limits. Each has a default. */
  readonly limits?: Partial<KernelLimits>
  /** Whether projections and reactions run from the start, or only when they are started. 'automatic' by default. */
  readonly projections?: 'automatic' | 'manual'
  /**
   * How often the store is asked for new events if it gives no hint, in milliseconds. One poll serves all followers. It
   * matters when other processes write. 1,000 by default.
   */
  readonly pollIntervalMs?: number
  /**
   * How long a process that runs a projection may be silent before another process takes over, in milliseconds. 10,000
   * by default. When a process stops properly, another takes over at once.
   */
  readonly leaseMs?: number
  /**
   * If `true`, rejections, "nothing to do" and errors of `decide` are answered from the state in memory. The store is
   * not asked whether another process has written to the stream since. That saves a question, but the answer may be
   * wrong: a withdrawal may be rejected although another process has stored a deposit. `false` by default.
   */
  readonly mayAnswerFromStaleState?: boolean
  /** Makes this process a member of a cluster: `cluster({ address, secret })` of `mneme/cluster`. */
  readonly cluster?: DomainCluster
  /** Where warnings go: a console, a pino logger, or anything with a `warn`. The console by default. */
  readonly log?: Logger
  /**
   * Gets what the domain does, as it happens: commands, decisions, loads, batches, steps and more, with times and
   * sizes. It costs nothing if it is left out. For OpenTelemetry, give `telemetry()` of `mneme/otel`.
   *
   *     observe: (observed) => {
   *       if (observed.kind === 'command ended') histogram.record(observed.tookMs, { outcome: observed.outcome })
   *     }
   */
  readonly observe?: Observe | Observer
  /** Time, timers, random numbers and ids, for tests. */
  readonly environment?: Partial<Environment>
}

const known: readonly (keyof StartOptions)[] = [
  ...([
    'store',
    'events',
    'snapshots',
    'keys',
    'limits',
    'projections',
    'pollIntervalMs',
    'leaseMs',
    'mayAnswerFromStaleState',
    'cluster',
    'log',
    'observe',
    'environment',
  ] as const),
  ...aggregateOptions,
]
const environmentParts: readonly (keyof Environment)[] = ['now', 'after', 'defer', 'random', 'newId', 'newCommandId']

/** The options with their defaults. */
export interface SettledOptions {
  readonly events: StoreFactory
  readonly snapshots: StoreFactory
  readonly keys: StoreFactory
  readonly projections: 'automatic' | 'manual'
  readonly pollIntervalMs: number
  readonly leaseMs: number
  readonly mayAnswerFromStaleState: boolean
}

/** @throws DefinitionError `OPTION_INVALID` */
export function settle(options: StartOptions): SettledOptions {
  checkKeys('start(options)', options, known)
  checkEnvironment(options.environment)
  checkOption('log', options.log, (log) => typeof log?.warn === 'function', 'a console, or anything with its warn')
  checkOption('observe', options.observe, isObserver, 'a function, or an object with the method observe')
  checkAggregateOptions(options)
  const isCluster = (found: DomainCluster) => typeof found?.node === 'function'
  checkOption('cluster', options.cluster, isCluster, 'what cluster(...) of mneme/cluster returns')
  const { store = memory(), projections = 'automatic', pollIntervalMs = 1000, leaseMs = 10_000 } = options
  const { events = store, snapshots = store } = options
  const { keys = events } = options
  for (const [option, factory] of Object.entries({ store, events, snapshots, keys })) {
    if (typeof factory?.open !== 'function') refuseOption(option, 'a store, such as memory() or sqlite(path)', factory)
  }
  if (projections !== 'automatic' && projections !== 'manual')
    refuseOption('projections', "'automatic' or 'manual'", projections)
  const { mayAnswerFromStaleState = false } = options
  checkFlag('mayAnswerFromStaleState', mayAnswerFromStaleState)
  for (const [option, found] of Object.entries({ pollIntervalMs, leaseMs })) checkWhole(option, found, 1)
  return { events, snapshots, keys, projections, pollIntervalMs, leaseMs, mayAnswerFromStaleState }
}

const isObserver = (found: Observe | Observer): boolean =>
  typeof found === 'function' || typeof found?.observe === 'function'

/** Unknown parts are allowed: the environment may be an object of a test, with further methods. */
function checkEnvironment(environment: Partial<Environment> = {}): void {
  checkOption('environment', environment, (found) => typeof found === 'object' && found !== null, 'an environment')
  for (const part of environmentParts) {
    checkOption(`environment.${part}`, environment[part], (found) => typeof found === 'function', 'a function')
  }
}
