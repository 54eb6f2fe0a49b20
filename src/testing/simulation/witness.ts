/**
 * Sees the log as it is, beside all processes: the truth that answers are compared with. If the log is set back to an
 * older state, another *era* begins, and the log of the one before is kept.
 */
import type { StreamId } from '../../domain/stream.ts'
import type { Range } from '../../store/range.ts'
import type { LogPlace, Page, StoredEvent } from '../../store/store.ts'

/** A log that can be seen beside all processes. */
export interface VisibleLog {
  /** Calls back when it has grown. */
  onAppend(listener: () => void): unknown
  /** A page of the log. */
  readAll(range: Range): Promise<Page>
}

/** Where the log and one stream end at a moment. */
export interface Moment {
  readonly era: number
  readonly head: number
  readonly sequence: number
}

/** The log as it was at the end of an era, or as it is. */
export class WitnessedLog {
  readonly #events: StoredEvent[] = []
  readonly #streams = new Map<string, StoredEvent[]>()

  get events(): readonly StoredEvent[] {
    return this.#events
  }

  get streams(): readonly StreamId[] {
    return Array.from(this.#streams.values(), ([first]) => first!.stream)
  }

  /** The events of a stream, in order. */
  streamOf({ aggregate, id }: StreamId): readonly StoredEvent[] {
    return this.#streams.get(keyOf(aggregate, id)) ?? []
  }

  has({ position, checksum }: LogPlace): boolean {
    return position === 0 || this.#events[position - 1]?.checksum === checksum
  }

  add(event: StoredEvent): void {
    this.#events.push(event)
    const key = keyOf(event.stream.aggregate, event.stream.id)
    const stream = this.#streams.get(key)
    if (stream === undefined) this.#streams.set(key, [event])
    else stream.push(event)
  }
}

export class Witness {
  readonly #store: VisibleLog
  readonly #logs: WitnessedLog[] = [new WitnessedLog()]
  /** Where the log ended at the beginning of each era. */
  readonly #beginnings: number[] = [0]
  #reading: Promise<void> = Promise.resolve()
  #unread = 0
  readonly #opened: (event: StoredEvent) => StoredEvent

  /** @param opened an event with its personal values */
  constructor(store: VisibleLog, opened: (event: StoredEvent) => StoredEvent = (event) => event) {
    this.#store = store
    this.#opened = opened
    // It is read before the next thing happens.
    store.onAppend(() => {
      this.#unread++
      this.#reading = this.#reading.then(() => this.#read()).finally(() => this.#unread--)
    })
  }

  /** 0 at first; one more each time that the log is set back. */
  get era(): number {
    return this.#logs.length - 1
  }

  /** The log as it is. */
  get log(): WitnessedLog {
    return this.#logs.at(-1)!
  }

  logOf(era: number): WitnessedLog {
    return this.#logs[era]!
  }

  get events(): readonly StoredEvent[] {
    return this.log.events
  }

  at(stream: StreamId): Moment {
    return { era: this.era, head: this.events.length, sequence: this.log.streamOf(stream).length }
  }

  /**
   * Waits until it has seen what is stored. A process that stood still may be told much in one moment, and may tell its
   * clients before all of it is read here.
   */
  async catchUp(): Promise<void> {
    while (this.#unread > 0) await this.#reading
  }

  /** Whether something is stored that it has not seen. */
  get isBehind(): boolean {
    return this.#unread > 0
  }

  /** The last position that the log has never lost since an era. */
  keptSince(era: number): number {
    return Math.min(...this.#beginnings.slice(era + 1), Number.POSITIVE_INFINITY)
  }

  /** The log was set back. @returns where it ends now */
  async wasRestored(): Promise<number> {
    this.#logs.push(new WitnessedLog())
    await this.#read()
    this.#beginnings.push(this.events.length)
    return this.events.length
  }

  async #read(): Promise<void> {
    for (;;) {
      const range = { from: this.events.length + 1, to: Number.POSITIVE_INFINITY }
      const page: Page = await this.#store.readAll(range)
      for (const event of page.events) this.log.add(this.#opened(event))
      if (page.isLast) return
    }
  }
}

const keyOf = (aggregate: string, id: string): string => JSON.stringify([aggregate, id])
