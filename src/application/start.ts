/** Puts the parts together on opened stores, and takes them apart again in the order that loses nothing. */
import type { AnyProjection } from '../domain/projection.ts'
import { type Environment, waitAtMost } from '../kernel/environment.ts'
import { Kernel } from '../kernel/kernel.ts'
import { limitsOf } from '../kernel/limits.ts'
import type { Warn } from '../kernel/warning.ts'
import { Runner } from '../projection/runner.ts'
import type { Store } from '../store/store.ts'
import { facade } from './facade.ts'
import { warnTo } from './logger.ts'
import type { Aggregates, ProjectionsByName } from './running.ts'
import { type StartOptions, settle } from './start-options.ts'
import { systemEnvironment } from './system-environment.ts'

/** @throws DefinitionError `OPTION_INVALID`, StoreError */
export async function start(
  aggregates: Aggregates,
  projections: ProjectionsByName,
  options: StartOptions,
): Promise<object> {
  const settled = settle(options)
  const limits = limitsOf(options.limits ?? {})
  const environment: Environment = { ...systemEnvironment, ...options.environment }
  const warn = warnTo(options.log ?? console)
  const stores = await openStores(settled, { warn, now: environment.now })
  const { snapshotEvery, stateRevision, passivateAfterMs } = options
  const kernel = new Kernel({
    ...stores,
    aggregates: Object.values(aggregates),
    defaults: {
      ...(snapshotEvery !== undefined && { snapshotEvery }),
      ...(stateRevision !== undefined && { stateRevision }),
      ...(passivateAfterMs !== undefined && { passivateAfterMs }),
    },
    environment,
    limits,
    warn,
  })
  const owner = environment.newId()
  const runners = new Map<string, Runner>()
  for (const [key, projection] of Object.entries<AnyProjection>(projections)) {
    const { pollIntervalMs, leaseMs } = settled
    runners.set(
      key,
      new Runner({ projection, store: stores.events, environment, warn, pollIntervalMs, owner, leaseMs }),
    )
  }
  if (settled.projections === 'automatic') for (const runner of runners.values()) runner.start()
  const stopRunners = () => Promise.all([...runners.values()].map((runner) => runner.stop()))
  const stopping = new AbortController()
  const stop = () => {
    stopping.abort()
    return stopAll(kernel, () => waitAtMost(environment, limits.stopTimeoutMs, stopRunners()), stores)
  }
  const { pollIntervalMs } = settled
  const subscriptions = { store: stores.events, environment, pollIntervalMs, stopped: stopping.signal }
  return facade({ aggregates, kernel, runners, subscriptions, stop })
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

/** Projections go on while commands drain, then the stores are closed even if something failed. */
async function stopAll(kernel: Kernel, stopRunners: () => Promise<void>, { events, snapshots }: Stores): Promise<void> {
  try {
    await kernel.stop()
    await stopRunners()
  } finally {
    try {
      await events.close()
    } finally {
      if (snapshots !== events) await snapshots.close()
    }
  }
}
