/** Puts the parts together on opened stores, and takes them apart again in the order that loses nothing. */
import type { Outcome } from '../domain/outcome.ts'
import { type Environment, waitAtMost } from '../kernel/environment.ts'
import { Kernel } from '../kernel/kernel.ts'
import { limitsOf } from '../kernel/limits.ts'
import type { Warn } from '../kernel/warning.ts'
import { ProjectionSteps } from '../projection/projection-steps.ts'
import type { PlainCommand } from '../projection/reaction-call.ts'
import { ReactionSteps } from '../projection/reaction-steps.ts'
import { ReadModelReader } from '../projection/read-model.ts'
import { Runner, type RunnerOptions } from '../projection/runner.ts'
import type { Store } from '../store/store.ts'
import { addressed } from './addressed.ts'
import { facade } from './facade.ts'
import { attempt } from './handle.ts'
import { warnTo } from './logger.ts'
import { type Aggregates, type ProjectionsByName, type ReactionsByName, reactionStorageName } from './running.ts'
import { type StartOptions, settle } from './start-options.ts'
import { systemEnvironment } from './system-environment.ts'

/** A domain's parts, none left out. */
export interface SettledDefinition {
  readonly aggregates: Aggregates
  readonly projections: ProjectionsByName
  readonly reactions: ReactionsByName
}

/** @throws DefinitionError `OPTION_INVALID`, StoreError */
export async function start(definition: SettledDefinition, options: StartOptions): Promise<object> {
  const settled = settle(options)
  const limits = limitsOf(options.limits ?? {})
  const environment: Environment = { ...systemEnvironment, ...options.environment }
  const warn = warnTo(options.log ?? console)
  const stores = await openStores(settled, { warn, now: environment.now })
  const { snapshotEvery, stateRevision, passivateAfterMs } = options
  const kernel = new Kernel({
    ...stores,
    aggregates: Object.values(definition.aggregates),
    defaults: {
      ...(snapshotEvery !== undefined && { snapshotEvery }),
      ...(stateRevision !== undefined && { stateRevision }),
      ...(passivateAfterMs !== undefined && { passivateAfterMs }),
    },
    environment,
    limits,
    warn,
  })
  const { pollIntervalMs, leaseMs } = settled
  const shared = { store: stores.events, environment, warn, pollIntervalMs, leaseMs, owner: environment.newId() }
  const { readers, runners } = projectionRunners(definition.projections, shared)
  const reactions = reactionRunners(definition.reactions, kernel, shared)
  if (settled.projections === 'automatic') {
    for (const runner of [...runners.values(), ...reactions.values()]) runner.start()
  }
  const stopping = new AbortController()
  const stop = async () => {
    stopping.abort()
    const stopAll = (some: ReadonlyMap<string, Runner>) =>
      waitAtMost(environment, limits.stopTimeoutMs, Promise.all([...some.values()].map((runner) => runner.stop())))
    try {
      // New commands are refused from now on, those of reactions too, whose events are handled again another time. Projections
      // follow until the last event.
      const drained = kernel.stop()
      await stopAll(reactions)
      await drained
      await stopAll(runners)
    } finally {
      await closeStores(stores)
    }
  }
  const subscriptions = { store: stores.events, environment, pollIntervalMs, stopped: stopping.signal }
  const { aggregates } = definition
  return facade({ aggregates, kernel, runners, readers, reactions, subscriptions, stop })
}

type Shared = Omit<RunnerOptions, 'name' | 'stepper'> & { readonly store: Store }

function projectionRunners(
  projections: ProjectionsByName,
  shared: Shared,
): { readonly readers: ReadonlyMap<string, ReadModelReader>; readonly runners: ReadonlyMap<string, Runner> } {
  const runners = new Map<string, Runner>()
  const readers = new Map<string, ReadModelReader>()
  for (const [key, projection] of Object.entries(projections)) {
    const stepper = (onReached: (position: number) => void) =>
      new ProjectionSteps(projection, shared.store, shared.warn, onReached)
    const runner = new Runner({ ...shared, name: projection.name, stepper })
    runners.set(key, runner)
    readers.set(key, new ReadModelReader(projection, shared.store, runner))
  }
  return { readers, runners }
}

function reactionRunners(reactions: ReactionsByName, kernel: Kernel, shared: Shared): ReadonlyMap<string, Runner> {
  const runners = new Map<string, Runner>()
  const dispatch = async (command: PlainCommand): Promise<Outcome> => {
    const { stream, name, data, options } = addressed(kernel, command)
    return attempt(kernel, stream, name, data, options)
  }
  for (const [key, reaction] of Object.entries(reactions)) {
    const name = reactionStorageName(reaction)
    const stepper = (onReached: (position: number) => void) =>
      new ReactionSteps({ ...shared, reaction, name, dispatch }, onReached)
    runners.set(key, new Runner({ ...shared, name, stepper }))
  }
  return runners
}

interface Stores {
  readonly events: Store
  readonly snapshots: Store
}

async function openStores(
  { events, snapshots }: ReturnType<typeof settle>,
  options: { readonly warn: Warn; readonly now: () => number },
): Promise<Stores> {
  const eventStore = await events.open(options)
  if (snapshots === events) return { events: eventStore, snapshots: eventStore }
  try {
    return { events: eventStore, snapshots: await snapshots.open(options) }
  } catch (error) {
    await eventStore.close()
    throw error
  }
}

/** Both, even if one cannot be closed. */
async function closeStores({ events, snapshots }: Stores): Promise<void> {
  try {
    await events.close()
  } finally {
    if (snapshots !== events) await snapshots.close()
  }
}
