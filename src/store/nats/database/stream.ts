/**
 * One JetStream stream, and reads from it that are as good as the leader's. A direct get is answered by any server that
 * has the stream, which may be behind. An answer counts if it shows that the server has everything that the leader had
 * when it was asked. If no server shows that soon, the leader itself is asked, message by message. A stream on one
 * server has only the leader.
 */
import { rest } from '../../../runtime/timers.ts'
import type { Connection, Outgoing, Several, Stored } from './connection.ts'
import type { Room } from './room.ts'
import { type Tail, tailOf } from './tail.ts'

/** The state of a stream, from its leader. */
export interface StreamState {
  readonly last: number
  /** How many subjects have messages. */
  readonly subjects: number
  /** The leader's clock, in milliseconds since 1970. */
  readonly now: number
}

/** The part of JetStream's answer that is used. */
export interface StreamInfo {
  readonly config: { readonly num_replicas: number } & Readonly<Record<string, unknown>>
  readonly state: {
    readonly first_seq: number
    readonly last_seq: number
    readonly num_subjects?: number
    readonly subjects?: Readonly<Record<string, number>>
  }
  readonly total?: number
  readonly ts: string
}

/** How many subjects one request may name; the server's limit is 1,024. */
const subjectsMax = 1000
const looksMax = 5
const lookMs = 10
/** How many requests to the leader are open at the same time. */
const askedAtOnceMax = 100

export class JetStream {
  readonly name: string
  readonly connection: Connection
  /** The room of its account, on a single server. */
  readonly room: Room
  /** Whether a part of the account's quota was its own when it was opened. */
  readonly isReserved: boolean
  #isReplicated: boolean

  constructor(
    connection: Connection,
    name: string,
    { isReplicated, isReserved, room }: Pick<JetStream, 'isReplicated' | 'isReserved' | 'room'>,
  ) {
    this.connection = connection
    this.name = name
    this.#isReplicated = isReplicated
    this.isReserved = isReserved
    this.room = room
  }

  /** Whether several servers have it. */
  get isReplicated(): boolean {
    return this.#isReplicated
  }

  async state(): Promise<StreamState> {
    const { state, ts } = await this.#info()
    return { last: state.last_seq, subjects: state.num_subjects ?? 0, now: Date.parse(ts) }
  }

  /** The subjects that match a filter and have messages, from the leader. */
  async subjects(filter: string): Promise<readonly string[]> {
    const found = new Set<string>()
    for (let offset = 0; ; ) {
      const { state, total = 0 } = await this.#info({ subjects_filter: filter, offset })
      const page = Object.keys(state.subjects ?? {})
      for (const subject of page) found.add(subject)
      offset += page.length
      if (page.length === 0 || offset >= total) return [...found]
    }
  }

  /** Stores messages as one atomic batch, if the account has room for all of them. See `Connection.publish`. */
  publish(messages: readonly Outgoing[], waitMs?: number, batch?: string): Promise<number> {
    const publish = () => this.connection.publish(this.name, messages, waitMs, batch)
    const asked = this.#isReplicated ? undefined : this.room.take(messages)
    return asked === undefined ? publish() : asked.then(publish)
  }

  /** Its last message, from the leader. */
  tail(): Promise<Tail | undefined> {
    return tailOf(this.connection, this.name)
  }

  /**
   * Whether the last message is at this sequence and within its batch. Reads from a single server never show a part of
   * a batch, unless it has no more of it; on several servers this says nothing.
   */
  async isUnfinished(sequence: number): Promise<boolean> {
    if (this.#isReplicated) return false
    const tail = await this.tail()
    return tail?.isEnd === false && tail.sequence === sequence
  }

  /**
   * Messages in order, from any server: a prefix of those that there are.
   *
   * @param seq the sequence to begin at
   */
  async read(
    seq: number,
    options: { readonly subject?: string; readonly count: number; readonly bytesMax: number },
  ): Promise<Several> {
    const { subject = '>', count, bytesMax } = options
    return this.connection.several(this.name, { seq, next_by_subj: subject, batch: count, max_bytes: bytesMax })
  }

  /** The message at a sequence. It never changes, so any server may answer. */
  async at(seq: number): Promise<Stored | undefined> {
    const { messages } = await this.connection.several(this.name, { seq, batch: 1 })
    const found = messages[0]
    if (found?.sequence === seq || !this.#isReplicated) return found?.sequence === seq ? found : undefined
    return this.connection.fromLeader(this.name, { seq })
  }

  /** The next message of a subject from a sequence on, from the leader. */
  next(seq: number, subject: string): Promise<Stored | undefined> {
    return this.connection.fromLeader(this.name, { seq, next_by_subj: subject })
  }

  /** The last message of each of these subjects that has one, by subject; as good as from the leader. */
  async lastOf(subjects: readonly string[]): Promise<ReadonlyMap<string, Stored>> {
    const found = new Map<string, Stored>()
    const wanted = [...new Set(subjects)]
    if (this.#isReplicated && wanted.length === 1) {
      const last = await this.connection.fromLeader(this.name, { last_by_subj: wanted[0] })
      if (last !== undefined) found.set(last.subject, last)
      return found
    }
    for (let start = 0; start < wanted.length; start += subjectsMax) {
      await this.#lastOfSome(wanted.slice(start, start + subjectsMax), found)
    }
    return found
  }

  /** The last message of each subject that matches a filter, at most about 1,000; from any server. */
  async lastMatching(filter: string): Promise<readonly Stored[]> {
    return (await this.connection.several(this.name, { multi_last: [filter] })).messages
  }

  /** Removes the messages of a subject before a sequence. */
  async purge(filter: string, before?: number): Promise<void> {
    await this.connection.api(`STREAM.PURGE.${this.name}`, { filter, ...(before !== undefined && { seq: before }) })
  }

  async #lastOfSome(subjects: readonly string[], found: Map<string, Stored>): Promise<void> {
    const least = this.#isReplicated ? (await this.state()).last : 0
    let left = subjects
    for (let look = 0; look < looksMax && left.length > 0; ) {
      const { messages, pending, upTo } = await this.connection.several(this.name, { multi_last: left })
      if (this.#isReplicated && (upTo === undefined || upTo < least)) {
        look++
        await rest(lookMs)
        continue
      }
      for (const message of messages) found.set(message.subject, message)
      if (pending === 0) return
      left = left.filter((subject) => !found.has(subject))
    }
    for (let start = 0; start < left.length; start += askedAtOnceMax) {
      const some = left.slice(start, start + askedAtOnceMax)
      const last = await Promise.all(
        some.map((subject) => this.connection.fromLeader(this.name, { last_by_subj: subject })),
      )
      for (const message of last) if (message !== undefined) found.set(message.subject, message)
    }
  }

  async #info(request: object = {}): Promise<StreamInfo> {
    const info = await this.connection.api<StreamInfo>(`STREAM.INFO.${this.name}`, request)
    this.#isReplicated = info.config.num_replicas > 1
    return info
  }
}
