/**
 * A subscription to one stream: its events from a sequence on, then live. Like a subscription to the log, it is one
 * loop that reads after the last event, and waits only when there is no other. With each page it reads the last event
 * again. If that has changed, the log was replaced, and the subscription ends with an error.
 */

import { StoreError } from '../../domain/error.ts'
import { checkKeys, checkOption, checkSignal, checkWhole } from '../../domain/options.ts'
import type { StreamId } from '../../domain/stream.ts'
import { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { EventStore, StoredEvent } from '../../store/store.ts'
import type { StreamTail } from './stream-tail.ts'
import { keepAlive, untilEnded } from './subscription.ts'

/** The place of an event in its stream and in the log. Every event is one. */
export type StreamPlace = Pick<StoredEvent, 'sequence' | 'position' | 'checksum'>

export interface StreamSubscriptionOptions {
  /** The first sequence wanted: 1 (the default) for everything, the last handled sequence + 1, or 'now'. */
  readonly from?: number | 'now'
  /**
   * Instead of `from`: continues after an event that was handled. Its checksum shows whether the log is still the one
   * that it was read from.
   */
  readonly after?: StreamPlace
  /** The number of events that are read at once, 1,000 by default. */
  readonly pageSize?: number
  /** Ends the subscription with its reason. */
  readonly signal?: AbortSignal
}

/** The names of the options. */
export const streamSubscriptionKeys: readonly (keyof StreamSubscriptionOptions)[] = [
  ...(['from', 'after', 'pageSize', 'signal'] as const),
]

/** What a subscription needs. `stopped` ends it without an error. */
export interface StreamSubscriptionContext {
  readonly store: Pick<EventStore, 'name' | 'readStream' | 'streamEnds' | 'head'>
  readonly streamTail: StreamTail
  readonly environment: Environment
  readonly stopped: AbortSignal
}

/** The last event that was examined, or only its sequence. */
type Last = Pick<StreamPlace, 'sequence'> & Partial<StreamPlace>

/**
 * The events of a stream in order, without end. 'now' is the end of the stream at the time of the call. A stream that
 * has fewer events than `from` is waited for.
 *
 * @throws DefinitionError `OPTION_INVALID`; while reading StoreError `LOG_REPLACED` if the last event is not in the
 *   stream any more, the signal's reason once it is aborted, and what the store throws
 */
export function subscribeToStream(
  context: StreamSubscriptionContext,
  stream: StreamId,
  given: StreamSubscriptionOptions,
): AsyncGenerator<StoredEvent, void, void> {
  checkKeys('events(options)', given, streamSubscriptionKeys)
  const { from, after, pageSize = 1000, signal } = given
  const isFrom = (found: unknown) => found === 'now' || isWhole(found)
  checkOption('from', from, isFrom, "a sequence or 'now'")
  checkOption('after', after, isPlace, 'an event, or its { sequence, position, checksum }')
  if (after !== undefined) checkOption('after', from, (found) => found === undefined, 'left out if from is given')
  checkWhole('pageSize', pageSize, 1)
  checkSignal(signal)
  const reading = { pageSize, signal }
  if (after !== undefined) return follow(context, stream, after, reading)
  if (from !== 'now') return follow(context, stream, { sequence: Math.max(0, (from ?? 1) - 1) }, reading)
  const start = context.store.streamEnds([stream]).then(([end]) => ({ sequence: end!.sequence }))
  start.catch(() => {})
  return follow(context, stream, start, reading)
}

async function* follow(
  { store, streamTail, environment, stopped }: StreamSubscriptionContext,
  stream: StreamId,
  start: Last | Promise<Last>,
  { pageSize, signal }: { readonly pageSize: number; readonly signal: AbortSignal | undefined },
): AsyncGenerator<StoredEvent, void, void> {
  const ended = signal === undefined ? stopped : AbortSignal.any([stopped, signal])
  const breath = new Breath(environment)
  let last = await untilEnded(start, ended)
  while (last !== undefined && !ended.aborted) {
    const isKnown = last.checksum !== undefined
    const range = { from: isKnown ? last.sequence : last.sequence + 1, to: Number.POSITIVE_INFINITY }
    const limit = isKnown ? pageSize + 1 : pageSize
    const page = await untilEnded(store.readStream(stream, range, { limit, signal: ended }), ended)
    if (page === undefined) break
    if (isKnown && page[0]?.checksum !== last.checksum) throw await replaced(store, last)
    await breath.pause()
    for (const event of isKnown ? page.slice(1) : page) {
      if (breath.isDue) await breath.pause()
      if (ended.aborted) break
      yield event
      last = event
    }
    if (page.length < limit) await keepAlive(environment, streamTail.wait(stream, last, ended))
  }
  if (!stopped.aborted) signal?.throwIfAborted()
}

async function replaced(store: Pick<EventStore, 'name' | 'head'>, { position }: Last): Promise<StoreError> {
  return new StoreError('LOG_REPLACED', { store: store.name, position: position!, head: await store.head() })
}

const isWhole = (found: unknown): boolean => Number.isSafeInteger(found) && (found as number) >= 0

const isPlace = (found: unknown): boolean => {
  const { sequence, position, checksum } = (found ?? {}) as Partial<StreamPlace>
  return isWhole(sequence) && sequence !== 0 && isWhole(position) && isWhole(checksum)
}
