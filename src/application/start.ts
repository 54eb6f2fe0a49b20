/** Starts a domain: opens the stores, and puts the parts together. */
import { Alone } from '../cluster/alone.ts'
import type { AggregateOptions, Fold } from '../domain/aggregate.ts'
import type { AnyCodeProjection } from '../domain/code-projection.ts'
import type { AnyEventKind } from '../domain/event.ts'
import type { HandledKinds } from '../domain/handled-kinds.ts'
import type { Outcome } from '../domain/outcome.ts'
import type { PlainCommand } from '../domain/plain-command.ts'
import type { AnyProjection } from '../domain/projection.ts'
import type { AnyReaction, EventHandler } from '../domain/reaction.ts'
import type { SealedValue } from '../domain/sealed-value.ts'
import { Kernel } from '../kernel/kernel.ts'
import { limitsOf } from '../kernel/limits.ts'
import { KeyRing } from '../kernel/personal/key-ring.ts'
import { openingStore } from '../kernel/personal/opening-store.ts'
import { Generations } from '../projection/checkpoint/generations.ts'
import type { StepperContext } from '../projection/checkpoint/step.ts'
import { CodeSteps, type CodeStepsOptions } from '../projection/code/code-steps.ts'
import { TableReader } from '../projection/code/table-reader.ts'
import { StreamTail } from '../projection/log/stream-tail.ts'
import { Tail } from '../projection/log/tail.ts'
import { ByHand } from '../projection/reactions/by-hand.ts'
import type { Sending } from '../projection/reactions/reaction-call.ts'
import { ReactionSteps } from '../projection/reactions/reaction-steps.ts'
import { listTimers, type TimersOptions } from '../projection/reactions/scheduled-commands.ts'
import { WaitingList } from '../projection/reactions/waiting.ts'
import { ReadModelReader } from '../projection/reading/read-model.ts'
import { Rebuilder } from '../projection/rebuilding/rebuild.ts'
import { ProjectionSteps, type ProjectionStepsOptions } from '../projection/rows/projection-steps.ts'
import { Runner } from '../projection/running/runner.ts'
import type { RunnerOptions } from '../projection/running/runner-options.ts'
import type { Environment } from '../runtime/environment.ts'
import { observedWarn, warnTo } from '../runtime/logger.ts'
import { Observing } from '../runtime/observing.ts'
import { checkRuntime } from '../runtime/platform.ts'
import type { OpenOptions, Store, StoreFactory } from '../store/store.ts'
import { addressed } from './addressed.ts'
import { facade } from './facade.ts'
import { declaresPersonal, forgetting } from './forgetting.ts'
import { attempt, type Sender } from './handle.ts'
import type { ManagedProjection } from './management.ts'
import {
  type Aggregates,
  type ClusterInfo,
  type ProjectionsByName,
  type ReactionsByName,
  reactionStorageName,
} from './running.ts'
import { Singletons } from './singletons.ts'
import { type StartOptions, settle } from './start-options.ts'
import { closeStores, type Stores, stopDomain } from './stop.ts'
import { systemCipher } from './system-cipher.ts'
import { systemEnvironment } from './system-environment.ts'
import { UnderWay } from './under-way.ts'
import { WarningLimit } from './warning-limit.ts'

/** All parts of a domain. */
export interface SettledDefinition {
  readonly aggregates: Aggregates
  readonly projections: ProjectionsByName
  readonly reactions: ReactionsByName
  /** Names of metadata that pass from an event to the commands of reactions. */
  readonly carry: readonly string[]
  /** The events that each of them handles. */
  readonly kinds: {
    readonly rows: ReadonlyMap<AnyProjection, HandledKinds<Fold>>
    readonly code: ReadonlyMap<AnyCodeProjection, HandledKinds<{ readonly kind: AnyEventKind }>>
    readonly reactions: ReadonlyMap<AnyReaction, HandledKinds<EventHandler>>
  }
}

/** @throws DefinitionError `OPTION_INVALID`, `RUNTIME_UNSUPPORTED`; StoreError */
export async function start(definition: SettledDefinition, options: StartOptions): Promise<object> {
  checkRuntime()
  const settled = settle(options)
  const limits = limitsOf(options.limits ?? {})
  const environment: Environment = { ...systemEnvironment, ...options.environment }
  const log = new WarningLimit(warnTo(options.log ?? console))
  const observing = options.observe && new Observing(options.observe, environment, log.warn)
  const warn = observing === undefined ? log.warn : observedWarn(log.warn, observing)
  const hasPersonalFields = declaresPersonal(definition.aggregates)
  const cipher = hasPersonalFields ? (environment.cipher ?? systemCipher()) : undefined
  const opened = await openStores(settled, { warn, now: environment.now, openedBy: 'domain' })
  const keys = cipher && new KeyRing({ store: opened.keys, cipher, environment })
  const stores = keys === undefined ? opened : openingStores(opened, keys)
  const aggregates = Object.values(definition.aggregates)
  const follows = settled.projections === 'automatic' ? checkpointNames(definition) : []
  const node = options.cluster?.node({ store: stores.events, environment, warn, aggregates, follows, keys, observing })
  const kernel = new Kernel({
    events: stores.events,
    snapshots: stores.snapshots,
    keys,
    aggregates,
    defaults: defaultsOf(options),
    environment,
    limits,
    warn,
    mayAnswerFromStaleState: settled.mayAnswerFromStaleState,
    ownership: node?.ownership,
    observing,
  })
  const sender: Sender = node ?? kernel
  const { pollIntervalMs, leaseMs } = settled
  const tail = new Tail({ store: stores.events, environment, pollIntervalMs })
  const owner = environment.newId()
  const betterPlace = node && ((name: string) => node.betterPlace(name))
  const leading = { store: stores.events, environment, warn, pollIntervalMs, leaseMs, owner, betterPlace }
  const shared = { ...leading, tail, observing }
  const singletons = new Singletons(leading)
  const projections = projectionsOf(definition, shared)
  const reactions = reactionsOf(definition, { kernel, sender, keys }, shared)
  try {
    await node?.join(kernel)
    await beginFirst(definition.reactions, reactions)
  } catch (error) {
    await node?.end()
    await closeStores(stores)
    throw error
  }
  if (settled.projections === 'automatic') {
    for (const { runner } of [...projections.values(), ...reactions.values()]) runner.start()
  }
  const stopping = new AbortController()
  const underWay = new UnderWay()
  const runners = (some: ReadonlyMap<string, ManagedProjection>) => [...some.values()].map(({ runner }) => runner)
  const stop = () => {
    stopping.abort()
    const followers = { reactions: [underWay, ...runners(reactions), singletons], projections: runners(projections) }
    const common = { stores, keys, environment, stopTimeoutMs: limits.stopTimeoutMs, observing, warn }
    return stopDomain({ kernel, node, ...followers, ...common }).finally(() => log.end())
  }
  const streamTail = new StreamTail(stores.events, tail)
  const subscriptions = { store: stores.events, tail, streamTail, environment, stopped: stopping.signal }
  const forget = forgetting({ keys, stores: opened, definition, projections })
  const cluster = node ?? new Alone({ kernel, environment, aggregates, follows, stopped: stopping.signal })
  const shown = shownCluster(cluster, singletons)
  const parts = { kernel, sender, cluster: shown, projections, reactions, subscriptions, environment, underWay }
  const { aggregates: declared, projections: definitions } = definition
  return facade({ ...parts, forget, stop, aggregates: declared, definitions, store: stores.events })
}

/** The options of all aggregates that do not set them. */
const defaultsOf = ({ snapshotEvery, stateRevision, passivateAfterMs }: StartOptions): AggregateOptions => ({
  ...(snapshotEvery !== undefined && { snapshotEvery }),
  ...(stateRevision !== undefined && { stateRevision }),
  ...(passivateAfterMs !== undefined && { passivateAfterMs }),
})

const shownCluster = (cluster: Omit<ClusterInfo, 'singleton'>, singletons: Singletons): ClusterInfo => ({
  status: () => cluster.status(),
  changes: () => cluster.changes(),
  singleton: (name, work) => singletons.start(name, work),
})

/** The names of the checkpoints of all projections and reactions. */
const checkpointNames = ({ projections, reactions }: SettledDefinition): readonly string[] => [
  ...Object.values(projections).map(({ name }) => name),
  ...Object.values(reactions).map(reactionStorageName),
]

/** Stores where reactions begin that have never run. */
async function beginFirst(
  definitions: ReactionsByName,
  reactions: ReadonlyMap<string, ManagedProjection>,
): Promise<void> {
  await Promise.all(
    Object.entries(definitions).map(async ([key, { beginning }]) => {
      // The first event is where every checkpoint begins, so there is nothing to store. A date is compared with each
      // event.
      if (beginning !== 'first' && !(beginning instanceof Date))
        await reactions.get(key)!.runner.bookmark.beginFirst(beginning)
    }),
  )
}

type Shared = Omit<RunnerOptions, 'name' | 'stepper'> & { readonly store: Store }

function projectionsOf(
  { projections, kinds }: SettledDefinition,
  shared: Shared,
): ReadonlyMap<string, ManagedProjection> {
  return new Map(
    Object.entries(projections).map(([key, projection]) => [
      key,
      projection.shape === 'code'
        ? codeProjection(projection, kinds.code.get(projection)!, shared)
        : rowsProjection(projection, kinds.rows.get(projection)!, shared),
    ]),
  )
}

function rowsProjection(projection: AnyProjection, kinds: HandledKinds<Fold>, shared: Shared): ManagedProjection {
  const { name, rowRevision } = projection
  const { store, environment, warn } = shared
  const generations = new Generations(name, rowRevision, store)
  const rebuilder = new Rebuilder({ ...shared, projection, kinds, generations })
  const prepare: ProjectionStepsOptions['prepare'] = (bookmark, signal) => rebuilder.bringUp(bookmark, signal)
  const stepper = (lead: StepperContext) =>
    new ProjectionSteps({ projection, kinds, store, environment, warn, location: generations, prepare, lead })
  const runner = new Runner({ ...shared, name, stepper })
  const reader = new ReadModelReader({ projection, store, runner, generations, environment })
  return { runner, rows: { reader, rebuilder } }
}

function codeProjection(
  projection: AnyCodeProjection,
  kinds: CodeStepsOptions['kinds'],
  shared: Shared,
): ManagedProjection {
  const { store, environment, warn } = shared
  const stepper = (lead: StepperContext) =>
    new CodeSteps({ projection, kinds, store, storeName: store.name, environment, warn, lead })
  const runner = new Runner({ ...shared, name: projection.name, stepper })
  return { runner, tables: new TableReader(projection.name, store, runner) }
}

function reactionsOf(
  { reactions, carry, kinds: handled }: SettledDefinition,
  { kernel, sender, keys }: { readonly kernel: Kernel; readonly sender: Sender; readonly keys: KeyRing | undefined },
  shared: Shared,
): ReadonlyMap<string, ManagedProjection> {
  const stateAt = async (aggregate: string, id: string, sequence: number) =>
    (await kernel.state({ aggregate, id }, { sequence })).state
  const dispatch = async (command: PlainCommand, sending: Sending): Promise<Outcome> => {
    const { stream, name, data, options } = addressed(kernel, command)
    return attempt(sender, stream, name, data, { ...options, ...sending })
  }
  const check = (command: PlainCommand) => {
    const { stream, name, data, options } = addressed(kernel, command)
    kernel.check(stream, name, data, options)
  }
  const personal = keys && {
    seal: (values: readonly SealedValue[]) => keys.seal(values),
    dataOf(command: PlainCommand) {
      const { stream, name, data } = addressed(kernel, command)
      return kernel.withPersonalValues(stream, name, data)
    },
  }
  const means = { dispatch, check, stateAt, carry, personal }
  return new Map(
    Object.entries(reactions).map(([key, reaction]) => {
      const name = reactionStorageName(reaction)
      const kinds = handled.reactions.get(reaction)!
      let steps: ReactionSteps | undefined
      const stepper = (lead: StepperContext) => {
        steps = new ReactionSteps({ ...shared, ...means, reaction, kinds, name, lead })
        return steps
      }
      const timers = (options: TimersOptions) => listTimers(shared.store, name, options)
      const runner = new Runner({ ...shared, name, stepper })
      const { store, environment } = shared
      const waiting = new WaitingList({ name, reaction, kinds, store, environment, runner, flow: () => steps?.flow })
      const { bookmark } = runner
      const byHand = new ByHand({ name, store, environment, bookmark, onChanged: () => runner.hint() })
      return [key, { runner, timers, waiting, byHand }]
    }),
  )
}

async function openStores(
  { events, snapshots, keys }: ReturnType<typeof settle>,
  options: OpenOptions,
): Promise<Stores> {
  const factories = [...new Set([events, snapshots, keys])]
  const stores: Store[] = []
  try {
    for (const factory of factories) stores.push(await factory.open(options))
  } catch (error) {
    for (const store of stores) await store.close()
    throw error
  }
  const storeOf = (factory: StoreFactory) => stores[factories.indexOf(factory)]!
  return { events: storeOf(events), snapshots: storeOf(snapshots), keys: storeOf(keys) }
}

/** The same stores, in whose data personal values are found. */
function openingStores({ events, snapshots, keys }: Stores, ring: KeyRing): Stores {
  const opening = openingStore(events, ring)
  return { events: opening, snapshots: snapshots === events ? opening : openingStore(snapshots, ring), keys }
}
