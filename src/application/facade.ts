/** A running domain as its user sees it: aggregates and read models by name, and the methods of the whole. */
import { DefinitionError, InputError, ProjectionError } from '../domain/error.ts'
import type { RecordedEvent } from '../domain/event.ts'
import { singleKey } from '../domain/projection.ts'
import { checkId, type StreamId } from '../domain/stream.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { CommandOptions } from '../kernel/pending-command.ts'
import { recordedEvent } from '../kernel/rehydrate.ts'
import type { Query } from '../projection/find.ts'
import type { Runner, WaitOptions } from '../projection/runner.ts'
import { type SubscriptionContext, type SubscriptionOptions, subscribe } from '../projection/subscription.ts'
import type { StoredEvent } from '../store/store.ts'
import { accept, attempt, handlesOf } from './handle.ts'
import type { Aggregates, Projections, StartAt } from './running.ts'

/** What the methods of a running domain stand on. */
interface Parts {
  readonly aggregates: Aggregates
  readonly kernel: Kernel
  readonly runners: ReadonlyMap<string, Runner>
  readonly subscriptions: SubscriptionContext
  readonly stop: () => Promise<void>
}

/** The object that `Running` describes. */
export function facade({ aggregates, kernel, runners, subscriptions, stop: stopAll }: Parts): object {
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= stopAll()
    return stopped
  }
  const entries = Object.entries(aggregates).map(([key, { name }]) => [key, handlesOf(kernel, name)])
  const readModels = [...runners].map(([key, runner]) => [key, readModel(runner)])
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
function readModel(runner: Runner): object {
  const { projection } = runner
  if (projection.shape === 'state') {
    return Object.freeze({
      async state(wait: WaitOptions = {}) {
        const state = await runner.get(singleKey, wait)
        return state === undefined ? projection.initial() : state
      },
    })
  }
  return Object.freeze({
    async get(key: string, wait: WaitOptions = {}) {
      checkId('the key of a row', key)
      return runner.get(key, wait)
    },
    find: (query: Query<Record<string, unknown>> = {}, wait: WaitOptions = {}) => runner.find(query, wait),
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
