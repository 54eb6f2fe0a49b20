/** A running domain as its user sees it: aggregates and read models by name, and the methods of the whole. */

import { DefinitionError, ProjectionError } from '../domain/error.ts'
import type { RecordedEvent } from '../domain/event.ts'
import { singleKey } from '../domain/projection.ts'
import { checkId } from '../domain/stream.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { recordedEvent } from '../kernel/rehydrate.ts'
import type { Query } from '../projection/find.ts'
import type { ReadModelReader } from '../projection/read-model.ts'
import type { Runner, WaitOptions } from '../projection/runner.ts'
import { type SubscriptionContext, type SubscriptionOptions, subscribe } from '../projection/subscription.ts'
import type { StoredEvent } from '../store/store.ts'
import { addressed } from './addressed.ts'
import { accept, attempt, handlesOf } from './handle.ts'
import type { Aggregates, Projections, StartAt } from './running.ts'

/** What the methods of a running domain stand on. */
interface Parts {
  readonly aggregates: Aggregates
  readonly kernel: Kernel
  readonly runners: ReadonlyMap<string, Runner>
  readonly readers: ReadonlyMap<string, ReadModelReader>
  readonly reactions: ReadonlyMap<string, Runner>
  readonly subscriptions: SubscriptionContext
  readonly stop: () => Promise<void>
}

/** The object that `Running` describes. */
export function facade({
  aggregates,
  kernel,
  runners,
  readers,
  reactions,
  subscriptions,
  stop: stopAll,
}: Parts): object {
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= stopAll()
    return stopped
  }
  const entries = Object.entries(aggregates).map(([key, { name }]) => [key, handlesOf(kernel, name)])
  const readModels = [...readers].map(([key, reader]) => [key, readModel(reader)])
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
    projections: projectionsOf(runners),
    reactions: projectionsOf(reactions),
    events: (options: SubscriptionOptions = {}) => recorded(aggregates, subscribe(subscriptions, options)),
    load: () => kernel.load,
    stop,
    [Symbol.asyncDispose]: stop,
  })
}

/** How projections are managed, by name. */
function projectionsOf(runners: ReadonlyMap<string, Runner>): Projections<string> {
  const runnerOf = (projection: unknown): Runner => {
    const runner = runners.get(projection as string)
    if (runner !== undefined) return runner
    throw new ProjectionError('PROJECTION_UNKNOWN', { projection, known: [...runners.keys()] })
  }
  return Object.freeze({
    async start(name: string, { from = 1 }: StartAt = {}) {
      const runner = runnerOf(name)
      if (!Number.isSafeInteger(from) || from < 1) {
        throw new DefinitionError('OPTION_INVALID', { option: 'from', expected: 'a position from 1', found: from })
      }
      runner.start(from)
      return runner.status()
    },
    stop: async (name: string) => runnerOf(name).stop(),
    async lookup(name: string) {
      const runner = runnerOf(name)
      return runner.alive ? runner.status() : undefined
    },
    pause: async (name: string) => runnerOf(name).pause(),
    resume: async (name: string) => runnerOf(name).resume(),
    status: async (name: string) => runnerOf(name).status(),
    runOnce: async (name: string) => runnerOf(name).runOnce(),
  })
}

/** How the rows, or the one state, of a projection are read. */
function readModel(reader: ReadModelReader): object {
  const { projection } = reader
  if (projection.shape === 'state') {
    return Object.freeze({
      async state(wait: WaitOptions = {}) {
        const state = await reader.get(singleKey, wait)
        return state === undefined ? projection.initial() : state
      },
    })
  }
  return Object.freeze({
    async get(key: string, wait: WaitOptions = {}) {
      checkId('the key of a row', key)
      return reader.get(key, wait)
    },
    find: (query: Query<Record<string, unknown>> = {}, wait: WaitOptions = {}) => reader.find(query, wait),
  })
}

/** Events as they are handed out: lifted where an aggregate of the domain knows them, else as they are stored. */
async function* recorded(
  aggregates: Aggregates,
  stored: AsyncGenerator<StoredEvent, void, void>,
): AsyncGenerator<RecordedEvent, void, void> {
  const folds = new Map(Object.values(aggregates).map((aggregate) => [aggregate.name, aggregate.folds]))
  for await (const event of stored) yield recordedEvent(folds.get(event.stream.aggregate), event)
}
