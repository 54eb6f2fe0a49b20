/**
 * Writes batches to the log, and never behind a batch of which the server has only the beginning. On a single server
 * that happens if a quota or the space of the server ends within a batch: the server keeps the messages before, and
 * says nothing, or refuses the last one. The beginning is the end of the log then. Who has the rest stores it there, by
 * one batch that expects exactly this end. So the commits become whole, and their events stay adjacent.
 *
 * - **The process that wrote it** has the rest. It looks after each failure that may be one of these, and before each
 *   append until it knows what became of the batch.
 * - **The server** has it too, and stores it when it is restarted with more room, if the beginning is still the end.
 * - **Others** must not write behind it, or the commit stays cut for ever. They look at the end of the log before their
 *   first batch, after a quota was reached, and whenever the room was asked for.
 *
 * What remains: a process that has looked less than a second ago, and whose few messages still fit.
 */
import type { Outgoing } from '../database/connection.ts'
import { ConnectionLost, isFull, isWrongLastSequence, mayBeUnfinished, Unfinished } from '../database/failure.ts'
import type { JetStream } from '../database/stream.ts'
import { endsCommit, readEvent } from './event-message.ts'

/** How often it looks where its batch is, if the log changes meanwhile. */
const looksMax = 3
/** How long it waits for the answer to the rest of a batch. */
const answerMs = 2000

/** A batch whose outcome is unknown. */
interface Doubtful {
  readonly messages: readonly Outgoing[]
  /** The names under which it was sent, as a whole or its rest: how many messages come before. */
  readonly sent: Map<string, number>
}

export class LogWriter {
  readonly #log: JetStream
  #doubtful: Doubtful | undefined
  /** Whether the log may end with the beginning of a batch of others. */
  #mayBeCut = true
  /** How often the room had been asked for at the last look. */
  #asked = 0

  constructor(log: JetStream) {
    this.#log = log
  }

  /**
   * Finishes what was begun, if that can be.
   *
   * @param mayBeCut whether the log may end within a batch of others
   * @throws Unfinished if the log ends within a batch
   */
  async settle(mayBeCut: boolean = this.#mayBeCut): Promise<void> {
    if (this.#log.isReplicated) return
    const mustLook = this.#doubtful !== undefined || mayBeCut || this.#log.room.asked !== this.#asked
    if (mustLook) await this.#finish(answerMs)
  }

  /**
   * @returns the sequence of the last message
   * @throws Unfinished if the server has only the beginning of the batch and takes no more; else as `JetStream.publish`
   */
  async publish(messages: readonly Outgoing[], waitMs: number): Promise<number> {
    const batch = this.#log.connection.nextBatch()
    try {
      const last = await this.#log.publish(messages, waitMs, batch)
      this.#doubtful = undefined
      return last
    } catch (error) {
      if (isFull(error)) this.#mayBeCut = true
      if (this.#log.isReplicated || messages.length < 2 || !mayBeUnfinished(error)) throw error
      this.#doubtful = { messages, sent: new Map([[batch, 0]]) }
      if (error instanceof ConnectionLost) throw error
      const last = await this.#finish(waitMs)
      if (last === undefined) throw error
      return last
    }
  }

  /**
   * Stores the rest of the doubtful batch, if the log ends with its beginning.
   *
   * @returns the sequence of its last message; nothing if the log ends with something else
   */
  async #finish(waitMs: number): Promise<number | undefined> {
    for (let look = 0; look < looksMax; look++) {
      const { asked } = this.#log.room
      const tail = await this.#log.tail()
      const before = tail && this.#doubtful?.sent.get(tail.batch)
      if (tail === undefined || before === undefined) {
        if (tail?.isEnd === false && !endsCommit(readEvent(tail, this.#log.connection.label)))
          throw new Unfinished(tail.sequence)
        this.#asked = asked
        this.#mayBeCut = false
        return undefined
      }
      if (tail.isEnd) {
        this.#doubtful = undefined
        return tail.sequence
      }
      try {
        const last = await this.#append(this.#doubtful!, before + tail.place, tail.sequence, waitMs)
        this.#doubtful = undefined
        return last
      } catch (error) {
        if (!isWrongLastSequence(error)) throw new Unfinished(tail.sequence, error)
      }
    }
    return undefined
  }

  /** Stores the messages of a batch from one on, directly behind the end of the log as it is known. */
  #append({ messages, sent }: Doubtful, from: number, end: number, waitMs: number): Promise<number> {
    const batch = this.#log.connection.nextBatch()
    sent.set(batch, from)
    // Behind this end every expectation is met, since the whole batch was judged.
    const rest = messages
      .slice(from)
      .map(({ subject, data }, i) => ({ subject, data, ...(i === 0 && { expectedLast: end }) }))
    return this.#log.publish(rest, waitMs, batch)
  }
}
