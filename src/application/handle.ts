/**
 * Makes handles, as in `bank.account(id)`. Each aggregate has a class whose prototype has the commands as methods. It
 * is built once at start, so a handle is one small object. The stack of a thrown rejection names the line that sent the
 * command, because the engine follows the promises from the handler in `accept` to the caller that awaits them.
 */
import type { CommandOptions } from '../domain/command.ts'
import { CommandRejected } from '../domain/command-rejected.ts'
import { checkId } from '../domain/id.ts'
import { checkKeys, checkOption, checkSignal, checkWhole } from '../domain/options.ts'
import type { Accepted, Outcome } from '../domain/outcome.ts'
import { commandOptions } from '../domain/plain-command.ts'
import type { AnyRejection } from '../domain/rejection.ts'
import type { StreamId } from '../domain/stream.ts'
import type { DispatchOptions } from '../kernel/dispatch-options.ts'
import type { HistoryRead } from '../kernel/history.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Until } from '../kernel/rehydrate.ts'
import {
  type StreamSubscriptionContext,
  type StreamSubscriptionOptions,
  subscribeToStream,
} from '../projection/log/stream-subscription.ts'
import { instancesOf } from './instances.ts'
import { readable, readableEvent } from './readable-event.ts'
import type { At, HistoryOptions, Reading } from './running.ts'

const noOptions: CommandOptions = Object.freeze({})

/** Decides commands: the kernel, or the member of a cluster that sends them to their owners. */
export type Sender = Pick<Kernel, 'dispatch'>

/**
 * Sends a command and waits for its outcome.
 *
 * @throws CommandRejected on a business "no"
 */
export function accept(
  sender: Sender,
  stream: StreamId,
  name: string,
  data: unknown,
  options: CommandOptions = noOptions,
): Promise<Accepted<any, any>> {
  return attempt(sender, stream, name, data, options).then((outcome) => {
    if (outcome.accepted) return outcome
    throw new CommandRejected(name, stream, outcome.rejection as AnyRejection)
  })
}

/** Sends a command and waits for its outcome, which may be a rejection. */
export function attempt(
  sender: Sender,
  stream: StreamId,
  name: string,
  data: unknown,
  options: DispatchOptions = noOptions,
): Promise<Outcome> {
  try {
    return sender.dispatch(stream, name, data, options)
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Sends a command with `accept` or `attempt`. Options are checked first. */
function withOptions(
  send: typeof accept | typeof attempt,
  sender: Sender,
  stream: StreamId,
  name: string,
  data: unknown,
  options: CommandOptions | undefined,
): Promise<Outcome> {
  return options === undefined
    ? send(sender, stream, name, data)
    : withChecked(send, sender, stream, name, data, options)
}

async function withChecked(
  send: typeof accept | typeof attempt,
  sender: Sender,
  stream: StreamId,
  name: string,
  data: unknown,
  options: CommandOptions,
): Promise<Outcome> {
  checkKeys(`the options of ${name}`, options, commandOptions)
  checkWhole('expectedSequence', options.expectedSequence, 0)
  checkSignal(options.signal)
  return send(sender, stream, name, data, options)
}

/** Returns a function that makes the handles of one aggregate. */
export function handlesOf(
  kernel: Kernel,
  sender: Sender,
  aggregate: string,
  context: StreamSubscriptionContext,
): (id: string) => object {
  const type = kernel.typeOf(aggregate)

  class Attempts {
    readonly stream: StreamId
    constructor(stream: StreamId) {
      this.stream = stream
    }
  }

  class Handle {
    readonly #stream: StreamId
    #attempts: Attempts | undefined

    constructor(stream: StreamId) {
      this.#stream = stream
    }

    get id(): string {
      return this.#stream.id
    }

    get try(): object {
      this.#attempts ??= new Attempts(this.#stream)
      return this.#attempts
    }

    async state(at: At = {}): Promise<unknown> {
      const { state } = await kernel.state(this.#stream, untilOf('state(at)', at))
      return state
    }

    async read(at: At = {}): Promise<Reading<unknown>> {
      const { state, sequence, position } = await kernel.state(this.#stream, untilOf('read(at)', at))
      return Object.freeze({ state, sequence, position })
    }

    async *history(options: HistoryOptions = {}): AsyncGenerator<unknown> {
      const read = historyRead(options)
      for await (const event of kernel.history(this.#stream, read)) yield readableEvent(type.folds, event)
    }

    events(options: StreamSubscriptionOptions = {}): AsyncGenerator<object, void, void> {
      return readable(() => type.folds, subscribeToStream(context, this.#stream, options))
    }

    static streamOf(handle: Handle): StreamId {
      return handle.#stream
    }
  }

  for (const name of type.decisions.keys()) {
    define(Handle.prototype, name, function (this: Handle, data: unknown, options?: CommandOptions) {
      return withOptions(accept, sender, Handle.streamOf(this), name, data, options)
    })
    define(Attempts.prototype, name, function (this: Attempts, data: unknown, options?: CommandOptions) {
      return withOptions(attempt, sender, this.stream, name, data, options)
    })
  }
  const handle = (id: string) => {
    checkId(`the id of an aggregate ${aggregate}`, id)
    return new Handle(Object.freeze({ aggregate, id }))
  }
  return Object.freeze(Object.assign(handle, instancesOf(kernel, aggregate)))
}

function define<Self extends object>(
  prototype: Self,
  name: string,
  value: (this: Self, ...args: any[]) => unknown,
): void {
  Object.defineProperty(prototype, name, { value, enumerable: true })
}

function historyRead(options: HistoryOptions): HistoryRead {
  checkKeys('history(options)', options, ['from', 'to', 'direction', 'limit', 'signal'])
  const { from = 1, to = Number.POSITIVE_INFINITY, direction = 'forward', limit, signal } = options
  checkWhole('from', from, 0)
  if (to !== Number.POSITIVE_INFINITY) checkWhole('to', to, 0)
  if (limit !== Number.POSITIVE_INFINITY) checkWhole('limit', limit, 0)
  const isDirection = (found: string) => found === 'forward' || found === 'backward'
  checkOption('direction', direction, isDirection, "'forward' or 'backward'")
  checkSignal(signal)
  return { from, to, direction, limit: limit ?? Number.POSITIVE_INFINITY, signal }
}

function untilOf(what: string, at: At): Until {
  checkKeys(what, at, ['sequence', 'time'])
  const { sequence, time } = at
  checkWhole('sequence', sequence, 0)
  checkOption('time', time, (found) => found instanceof Date && Number.isFinite(found.getTime()), 'a valid Date')
  return { ...(sequence !== undefined && { sequence }), ...(time !== undefined && { timeMs: time.getTime() }) }
}
