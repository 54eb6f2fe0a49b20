/**
 * Reads the log page by page for one who goes through it, and while a page is being handled already the next: store and
 * handler are both at work while there is much to catch up on. At the tail nothing is read that was not asked for.
 */
import type { HandledKinds } from '../../domain/handled-kinds.ts'
import type { EventStore, LogPlace, Page, StoredEvent } from '../../store/store.ts'

/** Which events are wanted. */
interface Wanted {
  /** The place behind which they are. */
  readonly behind: LogPlace
  /** The position behind the last one. */
  readonly to: number
  /** Events of a page. */
  readonly limit: number
}

/** Which kinds of events are wanted. */
type Kinds = Pick<HandledKinds<never>, 'filters' | 'among'>

export interface PageRead {
  readonly events: readonly StoredEvent[]
  /** The last place up to which there are no more events than these. */
  readonly examined: LogPlace
  /** Whether there was nothing more when it was asked for. A page that was read ahead does not know what came since. */
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
   * @param limitNext events of the page that follows, if this one is full
   * @throws StoreError `LOG_REPLACED`
   */
  async read(wanted: Wanted, limitNext: number = wanted.limit): Promise<PageRead> {
    const { behind, to, limit } = wanted
    const ahead = this.#ahead
    this.#ahead = undefined
    const isAhead = ahead !== undefined && isSame(ahead.behind, behind) && ahead.to === to && ahead.limit === limit
    const { events, examined: position, checksum, isLast } = await (isAhead ? ahead.page : this.#ask(wanted))
    // Nothing was looked at.
    const examined = position <= behind.position ? behind : { position, checksum }
    if (!isLast && position + 1 < to) {
      const next = { behind: examined, to, limit: limitNext }
      const page = this.#ask(next)
      // Whoever comes for it learns of a failure; nobody may come.
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
