/**
 * Following a store that is used without a domain: its events from a place on, then those that come. A reader that
 * first finds nothing and then asks for hints (`onAppend`) is not woken by an append between the two. Here the hints
 * are listened to before the first read, one that comes during a read ends the next wait, and a slow poll finds what no
 * hint told of.
 */
import { checkKeys, checkOption } from '../domain/options.ts'
import { type SubscriptionOptions, subscribe, subscriptionKeys } from '../projection/log/subscription.ts'
import { Tail } from '../projection/log/tail.ts'
import type { EventStore, StoredEvent } from '../store/store.ts'
import { systemEnvironment } from './system-environment.ts'

export interface FollowOptions extends SubscriptionOptions {
  /**
   * How often the store is asked where the log ends while nothing comes, in milliseconds; 1,000 by default. A hint may
   * be lost.
   */
  readonly pollIntervalMs?: number
}

/**
 * Events of a store that meet the filters, in the order of their positions, without end: each once, none left out. The
 * reader pulls. While it waits for events, the process is kept alive. To go on later, keep the last event, or its
 * position and checksum: `{ after: event }`.
 *
 *     for await (const event of follow(store, { types: ['Opened'], signal })) console.log(event.position, event.data)
 *
 * @throws DefinitionError `OPTION_INVALID`; while reading StoreError `LOG_REPLACED` if what it goes on behind is not in
 *   the log, the signal's reason once it is aborted, and what the store throws: `STORE_CLOSED` when it was closed
 */
export function follow(
  store: Pick<EventStore, 'readAll' | 'head' | 'onAppend'>,
  options: FollowOptions = {},
): AsyncGenerator<StoredEvent, void, void> {
  checkKeys('follow(store, options)', options, [...subscriptionKeys, 'pollIntervalMs'])
  const { pollIntervalMs = 1000, ...rest } = options
  const isInterval = (found: unknown) => typeof found === 'number' && found > 0 && found <= intervalMsMax
  checkOption('pollIntervalMs', pollIntervalMs, isInterval, `a time in milliseconds, ${intervalMsMax} at most`)
  const tail = new Tail({ store, environment: systemEnvironment, pollIntervalMs })
  const stopped = new AbortController().signal
  return subscribe({ store, tail, environment: systemEnvironment, stopped }, rest)
}

/** What a timer takes. */
const intervalMsMax = 2 ** 31 - 1
