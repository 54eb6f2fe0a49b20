/**
 * Waiting for streams to grow. When the log grows, one question to the store says where all streams end for which
 * somebody waits. A thousand readers of a thousand streams therefore cost one small question, and only those whose
 * stream has grown read it.
 */
import type { StreamId } from '../../domain/stream.ts'
import type { EventStore, StreamEnd } from '../../store/store.ts'
import type { Tail } from './tail.ts'

/** The last event that a reader has examined. Without a checksum only its sequence is known. */
export interface Examined {
  readonly sequence: number
  readonly checksum?: number
}

interface Waiting {
  readonly stream: StreamId
  readonly examined: Examined
  readonly wake: () => void
}

export class StreamTail {
  readonly #store: Pick<EventStore, 'streamEnds' | 'head'>
  readonly #tail: Tail
  readonly #waiting = new Set<Waiting>()
  /** Asks again at once: somebody has begun to wait. Absent while nobody waits. */
  #hint: (() => void) | undefined

  constructor(store: Pick<EventStore, 'streamEnds' | 'head'>, tail: Tail) {
    this.#store = store
    this.#tail = tail
  }

  /**
   * Waits until the stream has grown, does not have the examined event any more, or the signal is aborted. Never
   * throws: if the store fails, the wait ends, and the reader meets the failure.
   */
  wait(stream: StreamId, examined: Examined, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(waiting)
        signal.removeEventListener('abort', wake)
        // The last one lets the loop end.
        if (this.#waiting.size === 0) this.#hint?.()
        resolve()
      }
      const waiting = { stream, examined, wake }
      this.#waiting.add(waiting)
      signal.addEventListener('abort', wake, { once: true })
      if (this.#hint === undefined) void this.#ask()
      else this.#hint()
    })
  }

  /** Asks again whenever the log has grown, for as long as somebody waits. */
  async #ask(): Promise<void> {
    const follower = this.#tail.follow()
    const never = new AbortController().signal
    this.#hint = () => follower.hint()
    try {
      while (this.#waiting.size > 0) {
        follower.mark()
        const head = await this.#wakeGrown()
        if (this.#waiting.size > 0) await follower.wait(never, { examined: () => head })
      }
    } finally {
      this.#hint = undefined
      follower.close()
    }
  }

  /** @returns where the log ended before the question; infinity if the store has failed */
  async #wakeGrown(): Promise<number> {
    const asked = [...this.#waiting]
    try {
      const head = await this.#store.head()
      const ends = await this.#store.streamEnds(asked.map(({ stream }) => stream))
      for (const [i, { examined, wake }] of asked.entries()) if (hasChanged(ends[i]!, examined)) wake()
      return head
    } catch {
      for (const { wake } of asked) wake()
      return Number.POSITIVE_INFINITY
    }
  }
}

/** A reader that knows only a sequence may wait for one that the stream does not have yet. */
const hasChanged = (end: StreamEnd, { sequence, checksum }: Examined): boolean =>
  end.sequence > sequence || (checksum !== undefined && (end.sequence < sequence || end.checksum !== checksum))
