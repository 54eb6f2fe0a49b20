/**
 * A subscription: the log from a position on, then live. It is one loop that reads after the last place it has
 * examined, and waits only when nothing is left. There is no switch in it that could lose or repeat an event. The
 * reader pulls: if it is slow, one page is held and nothing piles up. While it waits for events, the process is kept
 * alive. If the log was replaced, the subscription ends with an error.
 */
import { checkKeys, checkOption, checkSignal, checkWhole, listExpected } from '../../domain/options.ts'
import { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { EventStore, LogPlace, ReadAllOptions, StoredEvent } from '../../store/store.ts'
import type { Tail } from './tail.ts'

export interface SubscriptionOptions extends Pick<ReadAllOptions, 'types' | 'aggregates' | 'tags' | 'signal'> {
  /** The first position wanted: 1 (the default) for everything, the last handled position + 1 to continue, or 'now'. */
  readonly from?: number | 'now'
  /**
   * Instead of `from`: continues after an event that was handled. You can pass the event itself. Its checksum shows
   * whether the log is still the one that it was read from.
   */
  readonly after?: LogPlace
  /** The number of events that are read at once, 1,000 by default. */
  readonly pageSize?: number
}

/** The names of the options. */
export const subscriptionKeys: readonly (keyof SubscriptionOptions)[] = [
  ...(['from', 'after', 'types', 'aggregates', 'tags', 'pageSize', 'signal'] as const),
]

/** What a subscription needs. `stopped` ends it without an error. */
export interface SubscriptionContext {
  readonly store: Pick<EventStore, 'readAll' | 'head' | 'onAppend'>
  readonly tail: Tail
  readonly environment: Environment
  readonly stopped: AbortSignal
}

/**
 * Events that match the filters, in the order of their positions, without end. 'now' is the end of the log at the time
 * of the call.
 *
 * @throws DefinitionError `OPTION_INVALID`; while reading StoreError `LOG_REPLACED` if the place is not in the log, the
 *   signal's reason once it is aborted, and what the store throws
 */
export function subscribe(
  context: SubscriptionContext,
  given: SubscriptionOptions,
): AsyncGenerator<StoredEvent, void, void> {
  checkKeys('events(options)', given, subscriptionKeys)
  const { from, after, pageSize = 1000, ...options } = given
  checkOption(
    'from',
    from,
    (found) => found === undefined || found === 'now' || (Number.isSafeInteger(found) && found >= 0),
    "a position or 'now'",
  )
  checkOption(
    'after',
    after,
    (found) => found === undefined || isPlace(found),
    'an event, or its { position, checksum }',
  )
  if (after !== undefined) checkOption('after', from, (found) => found === undefined, 'left out if from is given')
  checkWhole('pageSize', pageSize, 1)
  for (const filter of ['types', 'aggregates', 'tags'] as const) {
    checkOption(filter, options[filter], isListOfTexts, listExpected(options[filter], 'strings'))
  }
  checkSignal(options.signal)
  const behind = after ?? { position: Math.max(0, (from === undefined || from === 'now' ? 1 : from) - 1) }
  if (from !== 'now') return follow(context, behind, pageSize, options)
  const start = context.store.head().then((position) => ({ position }))
  start.catch(() => {})
  return follow(context, start, pageSize, options)
}

async function* follow(
  { store, tail, environment, stopped }: SubscriptionContext,
  start: LogPlace | Promise<LogPlace>,
  pageSize: number,
  { signal, ...filters }: Omit<SubscriptionOptions, 'from' | 'after' | 'pageSize'>,
): AsyncGenerator<StoredEvent, void, void> {
  const ended = signal === undefined ? stopped : AbortSignal.any([stopped, signal])
  const follower = tail.follow()
  const breath = new Breath(environment)
  try {
    let behind = (await untilEnded(start, ended)) ?? { position: 0 }
    const examined = () => behind.position
    while (!ended.aborted) {
      follower.mark()
      const range = { from: behind.position + 1, to: Number.POSITIVE_INFINITY }
      const options = { ...filters, behind, limit: pageSize, signal: ended }
      const page = await untilEnded(store.readAll(range, options), ended)
      if (page === undefined) break
      await breath.pause()
      for (const event of page.events) {
        if (breath.isDue) await breath.pause()
        if (ended.aborted) break
        yield event
      }
      behind = { position: page.examined, checksum: page.checksum }
      if (page.isLast) await keepAlive(environment, follower.wait(ended, { examined }))
    }
  } finally {
    follower.close()
  }
  if (!stopped.aborted) signal?.throwIfAborted()
}

/** One day. Then the timer is set again. */
const aliveMs = 86_400_000

/** Keeps the process alive while a reader waits for events, even if nothing else does. */
export async function keepAlive(environment: Environment, wait: Promise<unknown>): Promise<void> {
  let cancel = () => {}
  const hold = () => {
    cancel = environment.after(aliveMs, hold)
  }
  hold()
  try {
    await wait
  } finally {
    cancel()
  }
}

/** The result of a read, or `undefined` once the subscription ends. A slow store then delays nobody. */
export async function untilEnded<Result>(
  read: Result | Promise<Result>,
  ended: AbortSignal,
): Promise<Result | undefined> {
  const { promise: end, resolve } = Promise.withResolvers<undefined>()
  const onAbort = () => resolve(undefined)
  // It may have ended while the read began. The read may then fail later, and somebody has to listen to that.
  if (ended.aborted) onAbort()
  else ended.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([read, end])
  } catch (error) {
    if (ended.aborted) return undefined
    throw error
  } finally {
    ended.removeEventListener('abort', onAbort)
  }
}

const isWhole = (found: unknown): boolean => Number.isSafeInteger(found) && (found as number) >= 0

const isPlace = (found: unknown): found is LogPlace => {
  const { position, checksum } = (found ?? {}) as Partial<LogPlace>
  return isWhole(position) && (checksum === undefined || isWhole(checksum))
}

const isListOfTexts = (found: unknown): boolean => Array.isArray(found) && found.every((one) => typeof one === 'string')
