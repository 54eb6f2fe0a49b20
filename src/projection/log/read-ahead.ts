/**
 * Reads the log page by page. While a page is handled, the next one is already read, so store and handler work at the
 * same time during a long catch-up. At the end of the log nothing is read ahead.
 */
import type { HandledKinds } from '../../domain/handled-kinds.ts'
import type { EventStore, LogPlace, Page, StoredEvent } from '../../store/store.ts'

/** Which events are wanted. */
interface Wanted {
  /** The place after which they come. */
  readonly behind: LogPlace
  /** The position after the last one that is wanted. */
  readonly to: number
  /** The number of events of a page. */
  readonly limit: number
}

/** Which kinds of events are wanted. */
type Kinds = Pick<HandledKinds<never>, 'filters' | 'among'>

export interface PageRead {
  readonly events: readonly StoredEvent[]
  /** The last place that was examined. Up to there are no other wanted events. */
  readonly examined: LogPlace
  /**
   * Whether there was nothing more when the page was asked for. False for a page that was read ahead, because events
   * may have come since.
   */
  readonly isLast: boolean
}

export class ReadAhead {
  readonly #store: Pick<EventStore, 'readAll'>
  readonly #kinds: Kinds
  #ahead: (Wanted & { readonly page: Promise<Page> }) | undefined

  constructor(store: Pick<EventStore, 'readAll'>, kinds: Kinds) {
    this.#store = store
    this.#kinds = kinds
  }

  /**
   * @param limitNext the number of events of the next page, if this one is full
   * @throws StoreError `LOG_REPLACED`
   */
  async read(wanted: Wanted, limitNext: number = wanted.limit): Promise<PageRead> {
    const { behind, to, limit } = wanted
    const ahead = this.#ahead
    this.#ahead = undefined
    const isAhead = ahead !== undefined && isSame(ahead.behind, behind) && ahead.to === to && ahead.limit === limit
    const { events, examined: position, checksum, isLast } = await (isAhead ? ahead.page : this.#ask(wanted))
    // Nothing was examined.
    const examined = position <= behind.position ? behind : { position, checksum }
    if (!isLast && position + 1 < to) {
      const next = { behind: examined, to, limit: limitNext }
      const page = this.#ask(next)
      // The next read gets a failure. There may be no next read.
      page.catch(() => {})
      this.#ahead = { ...next, page }
    }
    return { events: this.#kinds.among(events), examined, isLast: isLast && !isAhead }
  }

  #ask({ behind, to, limit }: Wanted): Promise<Page> {
    return this.#store.readAll({ from: behind.position + 1, to }, { ...this.#kinds.filters, limit, behind })
  }
}

const isSame = (a: LogPlace, b: LogPlace): boolean => a.position === b.position && a.checksum === b.checksum
