/**
 * A subscription: the log from a position on, then live. There is no switch between the two that could lose or double an
 * event: it is one loop that reads behind the last position it has examined and waits only when there is nothing left. The reader
 * pulls, so a slow one holds one page and nothing piles up.
 */
import { checkKeys, checkOption, checkSignal, checkWhole } from '../domain/options.ts'
import type { EventStore, ReadAllOptions, StoredEvent } from '../store/store.ts'
import type { Tail } from './tail.ts'

export interface SubscriptionOptions extends Pick<ReadAllOptions, 'types' | 'aggregates' | 'tags' | 'signal'> {
  /** The first position wanted: 1 (the default) for everything, the last one handled + 1 to go on, or 'now'. */
  readonly from?: number | 'now'
  /** Events read at once, 1,000 by default. */
  readonly pageSize?: number
}

/** What a subscription runs on. `stopped` ends it without an error. */
export interface SubscriptionContext {
  readonly store: EventStore
  readonly tail: Tail
  readonly stopped: AbortSignal
}

/**
 * Events that meet the filters, in the order of their positions, without end. 'now' is the end of the log when the store is asked, by this call.
 *
 * @throws DefinitionError `OPTION_INVALID`; while reading the signal's reason once it is aborted, and what the store throws
 */
export function subscribe(
  context: SubscriptionContext,
  given: SubscriptionOptions,
): AsyncGenerator<StoredEvent, void, void> {
  checkKeys('events(options)', given, ['from', 'types', 'aggregates', 'tags', 'pageSize', 'signal'])
  const { from = 1, pageSize = 1000, ...options } = given
  checkOption(
    'from',
    from,
    (found) => found === 'now' || (Number.isSafeInteger(found) && found >= 0),
    "a position or 'now'",
  )
  checkWhole('pageSize', pageSize, 1)
  for (const filter of ['types', 'aggregates', 'tags'] as const) {
    checkOption(filter, options[filter], isListOfTexts, 'a list of texts')
  }
  checkSignal(options.signal)
  if (from !== 'now') return follow(context, from, pageSize, options)
  const start = context.store.head().then((head) => head + 1)
  start.catch(() => {})
  return follow(context, start, pageSize, options)
}

async function* follow(
  { store, tail, stopped }: SubscriptionContext,
  start: number | Promise<number>,
  pageSize: number,
  { signal, ...filters }: SubscriptionOptions,
): AsyncGenerator<StoredEvent, void, void> {
  const ended = signal === undefined ? stopped : AbortSignal.any([stopped, signal])
  const follower = tail.follow()
  try {
    let next = (await untilEnded(start, ended)) ?? 0
    const examined = () => next - 1
    while (!ended.aborted) {
      follower.mark()
      const range = { from: next, to: Number.POSITIVE_INFINITY }
      const page = await untilEnded(store.readAll(range, { ...filters, limit: pageSize, signal: ended }), ended)
      if (page === undefined) break
      for (const event of page.events) {
        if (ended.aborted) break
        yield event
      }
      next = page.examined + 1
      if (page.events.length < pageSize) await follower.wait(ended, { examined })
    }
  } finally {
    follower.close()
  }
  if (!stopped.aborted) signal?.throwIfAborted()
}

/** What a read gives, or nothing once all is to end: a store that takes its time holds nobody up. */
async function untilEnded<Result>(read: Result | Promise<Result>, ended: AbortSignal): Promise<Result | undefined> {
  if (ended.aborted) return undefined
  const { promise: end, resolve } = Promise.withResolvers<undefined>()
  const onAbort = () => resolve(undefined)
  ended.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([read, end])
  } catch (error) {
    if (ended.aborted) return undefined
    throw error
  } finally {
    ended.removeEventListener('abort', onAbort)
  }
}

const isListOfTexts = (found: unknown): boolean => Array.isArray(found) && found.every((one) => typeof one === 'string')
