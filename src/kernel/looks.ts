/**
 * Looks: questions to the store where streams end. While the store answers one question, further streams gather for the
 * next, as commits do. The answer of a command that stores nothing follows a look that began after the command arrived.
 * It is therefore true at some moment after that, even if other processes write.
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

  /** @param streamsMax the most streams in one question */
  constructor(store: Pick<EventStore, 'streamEnds'>, streamsMax: number) {
    this.#store = store
    this.#streamsMax = streamsMax
  }

  /** Where a stream ends, at some moment after this call. @throws what the store throws */
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
