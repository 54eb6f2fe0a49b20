/** What may be chosen when a domain is started. Everything has a default. */
import type { AggregateOptions } from '../domain/aggregate.ts'
import { aggregateOptions, checkAggregateOptions } from '../domain/aggregate.ts'
import { checkFlag, checkKeys, checkOption, checkWhole, refuseOption } from '../domain/options.ts'
import type { KernelLimits } from '../kernel/limits.ts'
import type { Environment } from '../runtime/environment.ts'
import { memory } from '../store/memory/index.ts'
import type { StoreFactory } from '../store/store.ts'
import type { Logger } from './logger.ts'

/** `snapshotEvery`, `stateRevision` and `passivateAfterMs` are defaults for aggregates that do not say themselves. */
export interface StartOptions extends AggregateOptions {
  /** Where everything is kept. `memory()` by default, which forgets. */
  readonly store?: StoreFactory
  /** Where events and projections are kept, if not in `store`. */
  readonly events?: StoreFactory
  /** Where snapshots are kept, if not in `store`. */
  readonly snapshots?: StoreFactory
  /** Bounds; each has a default. */
  readonly limits?: Partial<KernelLimits>
  /** Whether projections follow the log from the start, or only when they are told to. 'automatic' by default. */
  readonly projections?: 'automatic' | 'manual'
  /**
   * How often the log is looked at without a hint, once for all followers, in milliseconds; it matters when other
   * processes write. 1,000 by default.
   */
  readonly pollIntervalMs?: number
  /**
   * How long a process that runs a projection may be silent before another takes over, in milliseconds: 10,000 by
   * default. One that stops is followed at once.
   */
  readonly leaseMs?: number
  /**
   * Lets rejections, "nothing to do" and errors of `decide` be answered from what this process remembers, without a
   * look whether another process has written the stream since. That saves a question to the store, and the answer may
   * be wrong: a withdrawal is rejected though another process has stored a deposit. `false` by default.
   */
  readonly mayAnswerFromStaleState?: boolean
  /** Where warnings go: a console, a pino logger, or anything with a `warn`. The console by default. */
  readonly log?: Logger
  /** Time, timers, chance and ids, for tests. */
  readonly environment?: Partial<Environment>
}

const known: readonly (keyof StartOptions)[] = [
  ...([
    'store',
    'events',
    'snapshots',
    'limits',
    'projections',
    'pollIntervalMs',
    'leaseMs',
    'mayAnswerFromStaleState',
    'log',
    'environment',
  ] as const),
  ...aggregateOptions,
]
const environmentParts: readonly (keyof Environment)[] = ['now', 'after', 'defer', 'random', 'newId', 'newCommandId']

/** The options with their defaults where those are plain values. */
export interface SettledOptions {
  readonly events: StoreFactory
  readonly snapshots: StoreFactory
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
  checkAggregateOptions(options)
  const { store = memory(), projections = 'automatic', pollIntervalMs = 1000, leaseMs = 10_000 } = options
  const { events = store, snapshots = store } = options
  for (const [option, factory] of Object.entries({ store, events, snapshots })) {
    if (typeof factory?.open !== 'function') refuseOption(option, 'a store, such as memory() or sqlite(path)', factory)
  }
  if (projections !== 'automatic' && projections !== 'manual')
    refuseOption('projections', "'automatic' or 'manual'", projections)
  const { mayAnswerFromStaleState = false } = options
  checkFlag('mayAnswerFromStaleState', mayAnswerFromStaleState)
  for (const [option, found] of Object.entries({ pollIntervalMs, leaseMs })) checkWhole(option, found, 1)
  return { events, snapshots, projections, pollIntervalMs, leaseMs, mayAnswerFromStaleState }
}

/** An environment may be another domain's, or a test's with methods of its own. */
function checkEnvironment(environment: Partial<Environment> = {}): void {
  checkOption('environment', environment, (found) => typeof found === 'object' && found !== null, 'an environment')
  for (const part of environmentParts) {
    checkOption(`environment.${part}`, environment[part], (found) => typeof found === 'function', 'a function')
  }
}
