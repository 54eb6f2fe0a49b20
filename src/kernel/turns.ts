/**
 * Turns at streams that several processes write to. A process that keeps losing at a stream asks the store to reserve
 * it. Until the reservation is used or expires, the appends of all others conflict, and they ask for their turn too. So
 * each process gets its share, and each turn handles all waiting commands. One question to the store asks for all
 * instances that wait for a turn.
 */
import type { StreamId } from '../domain/stream.ts'
import { type Environment, sleep } from '../runtime/environment.ts'
import { soon } from '../runtime/timers.ts'
import type { EventStore } from '../store/store.ts'

interface Waiting {
  readonly stream: StreamId
  /** Whether a command still waits for the turn. */
  readonly isWanted: () => boolean
  readonly losses: number
  readonly resolve: (isReserved: boolean) => void
  readonly reject: (error: unknown) => void
}

/** After this many lost rounds, an instance asks for a turn before it tries again. */
export const lossesBeforeTurn = 2
/** How long a reservation lasts if it is not used. If its process is killed, the others wait for this long. */
const durationMs = 1_000
/** It lasts twice as long after each loss, up to so many: a slow store may take longer to append than it lasted. */
const doublingsMax = 3
/** The port cannot end a reservation. It is renewed for so short a time instead, in milliseconds. */
const endMs = 1
/** The average pause between two questions. It is random, so that no process is always the first to ask. */
const pauseMs = 4

export class Turns {
  readonly #store: Pick<EventStore, 'reserve'>
  readonly #environment: Environment
  readonly #writer: string
  readonly #over: AbortSignal | undefined
  #waiting: Waiting[] = []
  #isAsking = false

  /** @param over from then on no command waits, so it does not ask again */
  constructor(store: Pick<EventStore, 'reserve'>, environment: Environment, writer: string, over?: AbortSignal) {
    this.#store = store
    this.#environment = environment
    this.#writer = writer
    this.#over = over
  }

  /**
   * Waits until a stream is reserved for this process.
   *
   * @param losses how often the command that waits longest has lost at the stream
   * @returns false if no command waits for it any more
   * @throws what the store throws
   */
  take(stream: StreamId, isWanted: () => boolean, losses: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ stream, isWanted, losses, resolve, reject })
      if (this.#isAsking) return
      this.#isAsking = true
      soon(() => void this.#ask())
    })
  }

  /** Ends the reservation of a stream. If that fails, the reservation expires. */
  giveBack(stream: StreamId): void {
    this.#store.reserve([stream], this.#writer, endMs).catch(() => {})
  }

  async #ask(): Promise<void> {
    const environment = this.#environment
    for (;;) {
      const asked = this.#waiting
      const losses = asked.reduce((most, each) => Math.max(most, each.losses), lossesBeforeTurn)
      this.#waiting = []
      try {
        const reserved = await this.#store.reserve(
          asked.map(({ stream }) => stream),
          this.#writer,
          durationMs * 2 ** Math.min(losses - lossesBeforeTurn, doublingsMax),
        )
        for (const [i, each] of asked.entries()) {
          if (reserved[i]!) each.resolve(true)
          else if (each.isWanted() && this.#over?.aborted !== true) this.#waiting.push(each)
          else each.resolve(false)
        }
      } catch (error) {
        for (const { reject } of asked) reject(error)
      }
      if (this.#waiting.length === 0) break
      await sleep(environment, pauseMs * (0.5 + environment.random()), this.#over)
    }
    this.#isAsking = false
  }
}
