/** Makes the object that users get from `start`: aggregates and read models by name, and the methods of the domain. */
import { checkKeys, checkOption, checkSignal, checkWhole } from '../domain/options.ts'
import { singleKey } from '../domain/projection.ts'
import { isSqlStatement } from '../domain/sql-statement.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { ReadTablesOptions, TableReader } from '../projection/code/table-reader.ts'
import type { StreamSubscriptionContext } from '../projection/log/stream-subscription.ts'
import { type SubscriptionContext, type SubscriptionOptions, subscribe } from '../projection/log/subscription.ts'
import type { AnyRow, Filter, Query } from '../projection/reading/query.ts'
import type { WaitOptions } from '../projection/running/status.ts'
import type { Environment } from '../runtime/environment.ts'
import { freezeParts } from '../runtime/freeze.ts'
import type { EventStore } from '../store/store.ts'
import { addressed } from './addressed.ts'
import type { Erasure } from './erasure.ts'
import { accept, attempt, handlesOf, type Sender } from './handle.ts'
import { rememberInside } from './inside.ts'
import { type ManagedProjection, management, reactionManagement } from './management.ts'
import { parseCommand } from './parse-command.ts'
import { readable, readableEvent } from './readable-event.ts'
import type { Aggregates, ClusterInfo, ProjectionsByName } from './running.ts'
import type { UnderWay } from './under-way.ts'

/** The parts that the methods of a running domain use. */
interface Parts {
  readonly aggregates: Aggregates
  readonly definitions: ProjectionsByName
  readonly store: EventStore
  readonly kernel: Kernel
  readonly sender: Sender
  readonly cluster: ClusterInfo
  readonly projections: ReadonlyMap<string, ManagedProjection>
  readonly reactions: ReadonlyMap<string, ManagedProjection>
  readonly subscriptions: SubscriptionContext & StreamSubscriptionContext
  readonly environment: Environment
  readonly underWay: UnderWay
  readonly forget: (subject: string) => Promise<Erasure>
  readonly stop: () => Promise<void>
}

/** The object that `Running` describes. */
export function facade({
  aggregates,
  definitions,
  store,
  kernel,
  sender,
  cluster,
  projections,
  reactions,
  subscriptions,
  environment,
  underWay,
  forget,
  stop: stopAll,
}: Parts): object {
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= stopAll()
    return stopped
  }
  const entries = Object.entries(aggregates).map(([key, { name }]) => [
    key,
    handlesOf(kernel, sender, name, subscriptions),
  ])
  const folds = new Map(Object.values(aggregates).map((aggregate) => [aggregate.name, aggregate.folds]))
  const readModels = [...projections].map(([key, projection]) => [key, readModel(projection)])
  const running = Object.freeze({
    ...Object.fromEntries(entries),
    ...Object.fromEntries(readModels),
    async dispatch(command: unknown) {
      const { stream, name, data, options } = addressed(kernel, command)
      return accept(sender, stream, name, data, options)
    },
    try: Object.freeze({
      async dispatch(command: unknown) {
        const { stream, name, data, options } = addressed(kernel, command)
        return attempt(sender, stream, name, data, options)
      },
    }),
    parseCommand: (untrusted: unknown) => parseCommand(kernel, untrusted),
    projections: management(projections, environment, underWay),
    reactions: reactionManagement(reactions, environment, underWay),
    // Upcast if an aggregate of the domain declares them, otherwise as they are stored.
    events: (options: SubscriptionOptions = {}) =>
      readable((name) => folds.get(name), subscribe(subscriptions, options)),
    forget,
    head: async () => kernel.head(),
    load: () => kernel.load,
    cluster: Object.freeze(cluster),
    stop,
    [Symbol.asyncDispose]: stop,
  })
  rememberInside(running, {
    aggregates,
    projections: definitions,
    store,
    stopped: subscriptions.stopped,
    readable: (stored) => readableEvent(folds.get(stored.stream.aggregate), stored),
    waiting: (stream) => kernel.waiting(stream),
    find: async (key, query, wait, charactersMax) =>
      projections.get(key)!.rows!.reader.find(query, checkWait(wait), charactersMax),
  })
  return running
}

/** Reads the rows, the state or the tables of a projection. */
function readModel({ rows, tables }: ManagedProjection): object {
  if (rows === undefined) return tablesModel(tables!)
  const { reader } = rows
  const { projection } = reader
  if (projection.shape === 'state') {
    return Object.freeze({
      async state(wait?: WaitOptions) {
        const state = await reader.get(singleKey, checkWait(wait))
        return state === undefined ? freezeParts(projection.initial()).value : state
      },
    })
  }
  return Object.freeze({
    get: async (key: string, wait?: WaitOptions) => reader.get(key, checkWait(wait)),
    find: async (query: Query<AnyRow> = {}, wait?: WaitOptions) => reader.find(query, checkWait(wait)),
    count: async (filter: Filter<AnyRow> = {}, wait?: WaitOptions) => reader.count(filter, checkWait(wait)),
  })
}

/** Reads the tables of a projection as code. */
const tablesModel = (tables: TableReader): object =>
  Object.freeze({
    reached: async (wait: WaitOptions) => tables.reached(checkWait(wait)),
    async read(what: Parameters<TableReader['read']>[0], options: ReadTablesOptions = {}) {
      const isKnown = (found: unknown) => isSqlStatement(found) || typeof found === 'function'
      checkOption('read', what ?? null, isKnown, 'a statement made by sql, or a function')
      const { readTimeoutMs, ...wait } = options
      const isTime = (found: unknown) => typeof found === 'number' && found > 0 && found <= timerMsMax
      checkOption('readTimeoutMs', readTimeoutMs, isTime, `a time in milliseconds above 0, ${timerMsMax} at most`)
      checkWait(wait)
      return tables.read(what, options)
    },
  })

/** The longest time of a timer. */
const timerMsMax = 2 ** 31 - 1

/** @throws DefinitionError `OPTION_INVALID` */
function checkWait(wait: WaitOptions = {}): WaitOptions {
  checkKeys('wait', wait, ['atLeast', 'timeoutMs', 'signal'])
  const { atLeast, timeoutMs, signal } = wait
  checkWhole('atLeast', atLeast, 0)
  checkOption('timeoutMs', timeoutMs, (found) => typeof found === 'number' && found >= 0, 'a time in milliseconds')
  checkSignal(signal)
  return wait
}
