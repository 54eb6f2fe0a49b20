/** A domain: its aggregates and projections as a description, until it is started on a store. */
import { DefinitionError, InputError, ProjectionError } from '../domain/error.ts'
import type { AnyProjection } from '../domain/projection.ts'
import { checkId, type StreamId } from '../domain/stream.ts'
import type { Environment } from '../kernel/environment.ts'
import { Kernel } from '../kernel/kernel.ts'
import { limitsOf } from '../kernel/limits.ts'
import type { CommandOptions } from '../kernel/pending-command.ts'
import type { Warn } from '../kernel/warning.ts'
import { Runner, type WaitOptions } from '../projection/runner.ts'
import type { Store } from '../store/store.ts'
import { accept, attempt, handlesOf } from './handle.ts'
import { warnTo } from './logger.ts'
import type { Aggregates, ProjectionsByName, Running } from './running.ts'
import { type StartOptions, settle } from './start-options.ts'
import { systemEnvironment } from './system-environment.ts'

/** A description of a domain: no I/O until it is started, and it can be started many times. */
export interface Domain<A, P> {
  /**
   * Opens the stores and runs the domain on them.
   *
   * @throws DefinitionError `OPTION_INVALID`, StoreError
   */
  start(options?: StartOptions): Promise<Running<A, P>>
}

interface Definition<A, P> {
  readonly aggregates: A
  readonly projections?: P
}

/** The words that a running domain uses itself, or that every object has. */
const reserved: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  ...['dispatch', 'try', 'projections', 'reactions', 'events', 'load', 'stop', 'then', 'toJSON'],
])

/**
 * Describes a domain.
 *
 *     export const Bank = domain({ aggregates: { account: Account }, projections: { balances: Balances } })
 *     await using bank = await Bank.start({ store: sqlite('bank.db') })
 *
 * @throws DefinitionError on names that are taken or used twice
 */
export function domain<A extends Aggregates, P extends ProjectionsByName = {}>(
  definition: Definition<A, P>,
): Domain<A, P> {
  const { aggregates, projections = {} as P } = definition
  const keys = [...Object.keys(aggregates), ...Object.keys(projections)]
  for (const name of keys) {
    if (reserved.has(name)) throw new DefinitionError('NAME_RESERVED', { where: 'A part of the domain', name })
  }
  checkOnce('the key', keys)
  checkOnce(
    'the aggregate',
    Object.values(aggregates).map(({ name }) => name),
  )
  checkOnce(
    'the projection',
    Object.values(projections).map(({ name }) => name),
  )
  return Object.freeze({
    start: (options: StartOptions = {}) => start({ aggregates, projections }, options),
  })
}

function checkOnce(what: string, names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice === undefined) return
  throw new DefinitionError('DEFINITION_INVALID', { where: 'The domain', reason: `${what} ${twice} is there twice` })
}

async function start<A extends Aggregates, P extends ProjectionsByName>(
  { aggregates, projections }: Required<Definition<A, P>>,
  options: StartOptions,
): Promise<Running<A, P>> {
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
  const runners = new Map<string, Runner>()
  for (const [key, projection] of Object.entries<AnyProjection>(projections)) {
    const { pollIntervalMs } = settled
    runners.set(key, new Runner({ projection, store: stores.events, environment, warn, pollIntervalMs }))
  }
  if (settled.projections === 'automatic') for (const runner of runners.values()) runner.start()
  return running(aggregates, kernel, runners, stores) as unknown as Running<A, P>
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

function running(aggregates: Aggregates, kernel: Kernel, runners: ReadonlyMap<string, Runner>, stores: Stores): object {
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= stopAll(kernel, runners, stores)
    return stopped
  }
  const entries = Object.entries(aggregates).map(([key, { name }]) => [key, handlesOf(kernel, name)])
  const readModels = [...runners].map(([key, runner]) => [
    key,
    Object.freeze({
      async get(rowKey: string, wait: WaitOptions = {}) {
        checkId('the key of a row', rowKey)
        return runner.get(rowKey, wait)
      },
    }),
  ])
  return Object.freeze({
    ...Object.fromEntries(entries),
    ...Object.fromEntries(readModels),
    async dispatch(command: unknown) {
      const { stream, name, data, options } = addressed(kernel, command)
      return accept(kernel, stream, name, data, options)
    },
    try: Object.freeze({
      async dispatch(command: unknown) {
        const { stream, name, data, options } = addressed(kernel, command)
        return attempt(kernel, stream, name, data, options)
      },
    }),
    projections: Object.freeze({
      async runOnce(projection: string) {
        const runner = runners.get(projection)
        if (runner === undefined)
          throw new ProjectionError('PROJECTION_UNKNOWN', { projection, known: [...runners.keys()] })
        return runner.runOnce()
      },
    }),
    load: () => kernel.load,
    stop,
    [Symbol.asyncDispose]: stop,
  })
}

/** Projections go on while commands drain, then the stores are closed even if something failed. */
async function stopAll(
  kernel: Kernel,
  runners: ReadonlyMap<string, Runner>,
  { events, snapshots }: Stores,
): Promise<void> {
  try {
    await kernel.stop()
    await Promise.all([...runners.values()].map((runner) => runner.stop()))
  } finally {
    await events.close()
    if (snapshots !== events) await snapshots.close()
  }
}

/** A command's parts, from plain data of unknown origin. */
function addressed(
  kernel: Kernel,
  command: unknown,
): { readonly stream: StreamId; readonly name: string; readonly data: unknown; readonly options: CommandOptions } {
  if (typeof command !== 'object' || command === null) {
    throw new InputError('COMMAND_MALFORMED', {
      reason: `it is ${command === null ? 'null' : `of type ${typeof command}`}`,
    })
  }
  const { aggregate, id, name, data = {}, ...options } = command as Record<string, unknown>
  for (const [part, value] of Object.entries({ aggregate, id, name })) {
    if (typeof value !== 'string') throw new InputError('COMMAND_MALFORMED', { reason: `its ${part} is not a string` })
  }
  kernel.typeOf(aggregate as string)
  checkId('the id of an aggregate', id)
  return { stream: Object.freeze({ aggregate: aggregate as string, id }), name: name as string, data, options }
}
