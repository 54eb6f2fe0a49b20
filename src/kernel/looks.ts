/**
 * Looks at the ends of streams, gathered as commits are: while one question is with the store, the streams of everybody
 * else gather for the next. An answer that stores nothing is given after a look that was asked for later than the
 * command came, so it is true when it is given, whoever else writes.
 */
import type { StreamId } from '../domain/stream.ts'
import { soon } from '../runtime/timers.ts'
import type { EventStore, StreamEnd } from '../store/store.ts'

interface Waiting {
  readonly stream: StreamId
  readonly resolve: (end: StreamEnd) => void
  readonly reject: (error: unknown) => void
}

export class Looks {
  readonly #store: Pick<EventStore, 'streamEnds'>
  readonly #streamsMax: number
  #waiting: Waiting[] = []
  #isAsking = false

  /** @param streamsMax how many streams are asked for at once */
  constructor(store: Pick<EventStore, 'streamEnds'>, streamsMax: number) {
    this.#store = store
    this.#streamsMax = streamsMax
  }

  /** Where a stream ends, at some time after this call. @throws what the store throws */
  end(stream: StreamId): Promise<StreamEnd> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ stream, resolve, reject })
      if (this.#isAsking) return
      this.#isAsking = true
      soon(() => void this.#ask())
    })
  }

  async #ask(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#streamsMax)
      try {
        const ends = await this.#store.streamEnds(batch.map(({ stream }) => stream))
        for (const [i, { resolve }] of batch.entries()) resolve(ends[i]!)
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.#isAsking = false
  }
}
