/**
 * Reads the log page by page for one who goes through it, and while a page is being handled already the next: store and handler are
 * both at work while there is much to catch up on. At the tail nothing is read that was not asked for.
 */
import type { HandledKinds } from '../domain/handled-kinds.ts'
import type { EventStore, Page, StoredEvent } from '../store/store.ts'

/** Which events are wanted. */
interface Wanted {
  /** The first position. */
  readonly from: number
  /** The position behind the last one. */
  readonly to: number
  /** Events of a page. */
  readonly limit: number
}

/** Which kinds of events are wanted. */
type Kinds = Pick<HandledKinds<never>, 'filters' | 'among'>

export interface PageRead {
  readonly events: readonly StoredEvent[]
  /** The last position up to which there are no more events than these. */
  readonly examined: number
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

  /** @param limitNext events of the page that follows, if this one is full */
  async read(wanted: Wanted, limitNext: number = wanted.limit): Promise<PageRead> {
    const { from, to, limit } = wanted
    const ahead = this.#ahead
    this.#ahead = undefined
    const isAhead = ahead?.from === from && ahead.to === to && ahead.limit === limit
    const { events, examined } = await (isAhead ? ahead.page : this.#ask(wanted))
    const isFull = events.length === limit
    if (isFull && examined + 1 < to) {
      const next = { from: examined + 1, to, limit: limitNext }
      const page = this.#ask(next)
      // Whoever comes for it learns of a failure; nobody may come.
      page.catch(() => {})
      this.#ahead = { ...next, page }
    }
    return { events: this.#kinds.among(events), examined, isLast: !isFull && !isAhead }
  }

  #ask({ from, to, limit }: Wanted): Promise<Page> {
    return this.#store.readAll({ from, to }, { ...this.#kinds.filters, limit })
  }
}
