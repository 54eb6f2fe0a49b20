/** Sees the log as it is, beside all processes: the truth that answers are compared with. */
import type { StreamId } from '../../domain/stream.ts'
import type { Store, StoredEvent, StoreFactory } from '../../store/store.ts'

/** Where the log and one stream end at a moment. */
export interface Moment {
  readonly head: number
  readonly sequence: number
}

export class Witness {
  readonly #store: Store
  readonly #events: StoredEvent[] = []
  readonly #streams = new Map<string, StoredEvent[]>()
  #reading: Promise<void> = Promise.resolve()

  private constructor(store: Store) {
    this.#store = store
    // It is read before the next thing happens.
    store.onAppend(() => {
      this.#reading = this.#reading.then(() => this.#read())
    })
  }

  static async of(factory: StoreFactory): Promise<Witness> {
    return new Witness(await factory.open({ warn: () => {}, now: () => 0 }))
  }

  get events(): readonly StoredEvent[] {
    return this.#events
  }

  /** The events of a stream, in order. */
  streamOf({ aggregate, id }: StreamId): readonly StoredEvent[] {
    return this.#streams.get(keyOf(aggregate, id)) ?? []
  }

  get streams(): readonly StreamId[] {
    return Array.from(this.#streams.values(), ([first]) => first!.stream)
  }

  at(stream: StreamId): Moment {
    return { head: this.#events.length, sequence: this.streamOf(stream).length }
  }

  async #read(): Promise<void> {
    for (;;) {
      const page = await this.#store.readAll({ from: this.#events.length + 1, to: Number.POSITIVE_INFINITY })
      for (const event of page.events) {
        this.#events.push(event)
        const key = keyOf(event.stream.aggregate, event.stream.id)
        const stream = this.#streams.get(key)
        if (stream === undefined) this.#streams.set(key, [event])
        else stream.push(event)
      }
      if (page.isLast) return
    }
  }
}

const keyOf = (aggregate: string, id: string): string => JSON.stringify([aggregate, id])
