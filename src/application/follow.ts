/**
 * Follows a store that is used without a domain: reads its events from a place on, and then waits for new ones. A
 * reader that first finds nothing and then subscribes to hints (`onAppend`) would miss an append between the two. Here,
 * hints are subscribed to before the first read. A hint during a read ends the next wait. A slow poll finds events
 * without a hint.
 */
import { checkKeys, checkOption } from '../domain/options.ts'
import type { StreamId } from '../domain/stream.ts'
import {
  type StreamSubscriptionOptions,
  streamSubscriptionKeys,
  subscribeToStream,
} from '../projection/log/stream-subscription.ts'
import { StreamTail } from '../projection/log/stream-tail.ts'
import { type SubscriptionOptions, subscribe, subscriptionKeys } from '../projection/log/subscription.ts'
import { Tail, type TailOptions } from '../projection/log/tail.ts'
import { checkStream } from '../store/arguments.ts'
import type { EventStore, StoredEvent } from '../store/store.ts'
import { systemEnvironment } from './system-environment.ts'

export interface FollowOptions extends SubscriptionOptions {
  /** How often the store is asked where the log ends, in milliseconds, because a hint may be lost. 1,000 by default. */
  readonly pollIntervalMs?: number
}

/**
 * The events of a store that match the filters, in the order of their positions: each exactly once, without an end. The
 * next event is read when the caller asks for it. Waiting for events keeps the process alive. To continue later, keep
 * the last event, or its position and checksum, and give it as `{ after: event }`.
 *
 *     for await (const event of follow(store, { types: ['Opened'], signal })) console.log(event.position, event.data)
 *
 * @throws DefinitionError `OPTION_INVALID`. While reading: StoreError `LOG_REPLACED` if the event in `after` is not in
 *   the log; the signal's reason when it is aborted; what the store throws, such as `STORE_CLOSED`
 */
export function follow(
  store: Pick<EventStore, 'readAll' | 'head' | 'onAppend'>,
  options: FollowOptions = {},
): AsyncGenerator<StoredEvent, void, void> {
  checkKeys('follow(store, options)', options, [...subscriptionKeys, 'pollIntervalMs'])
  const { pollIntervalMs, ...rest } = options
  return subscribe({ store, tail: tailOf(store, pollIntervalMs), ...untilAborted() }, rest)
}

export interface FollowStreamOptions extends StreamSubscriptionOptions, Pick<FollowOptions, 'pollIntervalMs'> {}

/**
 * The events of one stream, like `follow`. `from` is a sequence.
 *
 *     for await (const event of followStream(store, { aggregate: 'account', id: 'ada' }, { from: 6, signal })) ...
 *
 * @throws InputError `ID_INVALID`; otherwise as `follow`
 */
export function followStream(
  store: Pick<EventStore, 'name' | 'readStream' | 'streamEnds' | 'head' | 'onAppend'>,
  stream: StreamId,
  options: FollowStreamOptions = {},
): AsyncGenerator<StoredEvent, void, void> {
  checkStream(stream)
  checkKeys('followStream(store, stream, options)', options, [...streamSubscriptionKeys, 'pollIntervalMs'])
  const { pollIntervalMs, ...rest } = options
  const streamTail = new StreamTail(store, tailOf(store, pollIntervalMs))
  return subscribeToStream({ store, streamTail, ...untilAborted() }, stream, rest)
}

function tailOf(store: TailOptions['store'], pollIntervalMs = 1000): Tail {
  const isInterval = (found: unknown) => typeof found === 'number' && found > 0 && found <= intervalMsMax
  checkOption('pollIntervalMs', pollIntervalMs, isInterval, `a time in milliseconds, ${intervalMsMax} at most`)
  return new Tail({ store, environment: systemEnvironment, pollIntervalMs })
}

/** A store has no moment at which it stops all its followers. */
const untilAborted = () => ({ environment: systemEnvironment, stopped: new AbortController().signal })

/** The longest delay of a timer. */
const intervalMsMax = 2 ** 31 - 1
