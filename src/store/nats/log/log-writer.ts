/**
 * Writes batches to the log, and never behind a batch of which the server has only the beginning. On a single server
 * that happens if a quota or the space of the server ends within a batch: the server keeps the messages before, and
 * says nothing, or refuses the last one. The beginning is the end of the log then. Who has the rest stores it there, by
 * one batch that expects exactly this end. So the commits become whole, and their events stay adjacent.
 *
 * - **The process that wrote it** has the rest. It looks after each failure that may be one of these, and before each
 *   append until it knows what became of the batch.
 * - **The server** has it too, and stores it when it is restarted with more room, if the beginning is still the end.
 * - **Others** must not write behind it, or the commit stays cut for ever. A batch expects the log to end where this
 *   process has seen it end, with whole commits. If it ends elsewhere, the process looks. If others have written, it
 *   does without this expectation for some seconds, because the processes would only refuse each other.
 *
 * What remains: of several processes that write within the same seconds, one is cut short, and another one finds room
 * again before it was refused once.
 */
import { elapsedMs } from '../../../runtime/timers.ts'
import type { Outgoing } from '../database/connection.ts'
import { ConnectionLost, isFull, isWrongLastSequence, mayBeUnfinished, Unfinished } from '../database/failure.ts'
import type { JetStream } from '../database/stream.ts'
import { endsCommit, readEvent } from './event-message.ts'

/** How often it looks where its batch is, if the log changes meanwhile. */
const looksMax = 3
/** How long it waits for the answer to the rest of a batch. */
const answerMs = 2000
/** How long batches do not expect an end of the log after others have written: longer while others go on writing. */
const othersMsMin = 1000
const othersMsMax = 8000

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
  /** Where the log ended when this process saw it last, with whole commits. */
  #end: number | undefined
  /** Until when others probably write too, by this process's clock. */
  #othersUntil = Number.NEGATIVE_INFINITY
  #othersMs = othersMsMin

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
    const isUnknown = this.#end === undefined && elapsedMs() >= this.#othersUntil
    const mustLook = this.#doubtful !== undefined || mayBeCut || isUnknown || this.#log.room.asked !== this.#asked
    if (mustLook) await this.#finish(answerMs)
  }

  /**
   * @returns the sequence of the last message
   * @throws Unfinished if the server has only the beginning of the batch and takes no more; else as `JetStream.publish`
   */
  async publish(messages: readonly Outgoing[], waitMs: number): Promise<number> {
    const end = this.#log.isReplicated ? undefined : this.#end
    this.#end = undefined
    try {
      if (end === undefined) return await this.#publish(messages, waitMs)
      const last = await this.#publish(behind(end, messages), waitMs)
      this.#othersMs = othersMsMin
      return last
    } catch (error) {
      if (end === undefined || !isWrongLastSequence(error)) throw error
      await this.#finish(waitMs)
      // The log ends where it was expected to, so one of its streams does not.
      if (this.#end === end) throw error
    }
    this.#end = undefined
    this.#othersUntil = elapsedMs() + this.#othersMs
    this.#othersMs = Math.min(2 * this.#othersMs, othersMsMax)
    return this.#publish(messages, waitMs)
  }

  async #publish(messages: readonly Outgoing[], waitMs: number): Promise<number> {
    const batch = this.#log.connection.nextBatch()
    try {
      const last = await this.#log.publish(messages, waitMs, batch)
      this.#doubtful = undefined
      if (elapsedMs() >= this.#othersUntil) this.#end = last
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
        this.#end = tail?.sequence ?? 0
        return undefined
      }
      if (tail.isEnd) {
        this.#doubtful = undefined
        this.#end = tail.sequence
        return tail.sequence
      }
      try {
        const last = await this.#append(this.#doubtful!, before + tail.place, tail.sequence, waitMs)
        this.#doubtful = undefined
        this.#end = last
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

/** The messages of a batch that is only stored if the log ends there. */
function behind(end: number, [first, ...rest]: readonly Outgoing[]): readonly Outgoing[] {
  const { subject, expected } = first!
  return [
    {
      subject,
      ...(expected !== undefined && { expected }),
      expectedLast: end,
      // An event is written when it is sent.
      get data() {
        return first!.data
      },
    },
    ...rest,
  ]
}
