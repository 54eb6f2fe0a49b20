/**
 * Looks: questions to the store where streams end. While the store answers one question, further streams gather for the
 * next, as commits do. The answer of a command that stores nothing follows a look that began after the command arrived.
 * It is therefore true at some moment after that, even if other processes write.
 */
import type { StreamId } from '../domain/stream.ts'
import { soon } from '../runtime/timers.ts'
import type { EventStore, StreamEnd } from '../store/store.ts'
import type { Round } from './round.ts'

interface LooksOptions {
  /** The most streams in one question. */
  readonly streamsMax: number
  /**
   * Whether an answer may rest on a state that is no longer the newest. A caller that expects a sequence has read it
   * somewhere, perhaps in another process, so a sequence that was not expected is looked at all the same.
   */
  readonly mayAnswerFromStaleState: boolean
}

interface Waiting {
  readonly stream: StreamId
  readonly resolve: (end: StreamEnd) => void
  readonly reject: (error: unknown) => void
}

export class Looks {
  readonly #store: Pick<EventStore, 'streamEnds'>
  readonly #streamsMax: number
  readonly #onlyForExpectations: boolean
  #waiting: Waiting[] = []
  #isAsking = false

  constructor(store: Pick<EventStore, 'streamEnds'>, { streamsMax, mayAnswerFromStaleState }: LooksOptions) {
    this.#store = store
    this.#streamsMax = streamsMax
    this.#onlyForExpectations = mayAnswerFromStaleState
  }

  /** Whether the answers of a round that stores nothing need a look. */
  isNeededFor({ commands, hasUnexpected }: Pick<Round, 'commands' | 'hasUnexpected'>): boolean {
    return hasUnexpected || (commands.length > 0 && !this.#onlyForExpectations)
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
