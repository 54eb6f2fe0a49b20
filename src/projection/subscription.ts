/**
 * A subscription: the log from a position on, then live. There is no switch between the two that could lose or double an
 * event: it is one loop that reads behind the last position it has examined and waits only when there is nothing left. The reader
 * pulls, so a slow one holds one page and nothing piles up.
 */
import { DefinitionError } from '../domain/error.ts'
import type { Environment } from '../kernel/environment.ts'
import type { EventStore, ReadAllOptions, StoredEvent } from '../store/store.ts'
import { Tail } from './tail.ts'

export interface SubscriptionOptions extends Pick<ReadAllOptions, 'types' | 'aggregates' | 'tags' | 'signal'> {
  /** The first position wanted: 1 (the default) for everything, the last one handled + 1 to go on, or 'now'. */
  readonly from?: number | 'now'
  /** Events read at once, 1,000 by default. */
  readonly pageSize?: number
}

/** What a subscription runs on. `stopped` ends it without an error. */
export interface SubscriptionContext {
  readonly store: EventStore
  readonly environment: Environment
  readonly pollIntervalMs: number
  readonly stopped: AbortSignal
}

/**
 * Events that meet the filters, in the order of their positions, without end. 'now' is the moment of this call.
 *
 * @throws DefinitionError `OPTION_INVALID`; while reading the signal's reason once it is aborted, and what the store throws
 */
export function subscribe(
  context: SubscriptionContext,
  { from = 1, pageSize = 1000, ...options }: SubscriptionOptions,
): AsyncGenerator<StoredEvent, void, void> {
  if (from !== 'now' && !(Number.isSafeInteger(from) && from >= 0)) refuse('from', "a position or 'now'", from)
  if (!Number.isSafeInteger(pageSize) || pageSize < 1) refuse('pageSize', 'a whole number above 0', pageSize)
  if (from !== 'now') return follow(context, from, pageSize, options)
  const start = context.store.head().then((head) => head + 1)
  start.catch(() => {})
  return follow(context, start, pageSize, options)
}

async function* follow(
  { store, environment, pollIntervalMs, stopped }: SubscriptionContext,
  start: number | Promise<number>,
  pageSize: number,
  { signal, ...filters }: SubscriptionOptions,
): AsyncGenerator<StoredEvent, void, void> {
  const ended = signal === undefined ? stopped : AbortSignal.any([stopped, signal])
  const tail = new Tail(store, environment, pollIntervalMs)
  try {
    for (let next = await start; !ended.aborted; ) {
      tail.mark()
      const page = await store.readAll({ from: next, to: Number.POSITIVE_INFINITY }, { ...filters, limit: pageSize })
      for (const event of page.events) {
        if (ended.aborted) break
        yield event
      }
      next = page.examined + 1
      if (page.events.length < pageSize) await tail.wait(ended)
    }
  } finally {
    tail.close()
  }
  if (!stopped.aborted) signal?.throwIfAborted()
}

function refuse(option: string, expected: string, found: unknown): never {
  throw new DefinitionError('OPTION_INVALID', { option, expected, found })
}
