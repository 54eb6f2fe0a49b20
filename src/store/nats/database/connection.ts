/**
 * Requests and answers on one connection: JetStream's protocol, spoken directly. Answers come to one subscription, by a
 * token in their subject. When the connection breaks, every call in progress fails at once, since its answer may never
 * come; the driver connects again by itself, or the connection is replaced (`wire.ts`).
 *
 * The store does not use the driver's class for batches. On server 2.15.1 it drops the expectations of all messages
 * but the first, and hides the server's error code.
 */
import { elapsedMs, rest, startTimer, stopTimer } from '../../../runtime/timers.ts'
import { type Settings, urlsOf } from '../options.ts'
import { type Driver, loadDriver, type Msg, type MsgHdrs, type NatsConnection } from './driver.ts'
import {
  ConnectionLost,
  isBatchGivenUp,
  isMissingMessage,
  isPassing,
  NoAnswer,
  NobodyThere,
  type Refusal,
  Refused,
} from './failure.ts'
import { withoutLeftSockets } from './sockets.ts'
import { Wire } from './wire.ts'

/** A message to store. */
export interface Outgoing {
  readonly subject: string
  readonly data: string | Uint8Array
  /** The sequence of the last message of the subject before this one; 0 if there must be none. */
  readonly expected?: number
  /** The sequence of the last message of the whole JetStream stream before this one. */
  readonly expectedLast?: number
  /** In how many seconds the server removes it. */
  readonly ttlSeconds?: number
}

/** A stored message. */
export interface Stored {
  readonly subject: string
  readonly sequence: number
  readonly data: Uint8Array
}

/** The messages that one request returned. */
export interface Several {
  readonly messages: readonly Stored[]
  /** How many more there are. */
  readonly pending: number
  /** The last sequence that the server had, if it says so. */
  readonly upTo: number | undefined
}

/** The answer to a stored message: the sequence of the last one. */
interface Acknowledgement {
  readonly error?: Refusal
  readonly stream: string
  readonly seq: number
}

/** A call that waits for answers. */
interface Waiting {
  /** @returns whether it has everything */
  take(message: Msg): boolean
  fail(error: Error): void
  touch(): void
}

const nobodyCode = 503
const endCode = 204
const missingCode = 404
const reconnectMs = 100
/** How long a question waits for an answer before it is asked again; twice as long each time. */
const askMsMin = 500
const againMs = 50
const decoder = new TextDecoder()
/** The end of a batch's name when it is sent once more. */
export const again = '-again'

/** How a batch is sent. */
interface Sending {
  readonly waitMs: number
  readonly batch: string
  /** Where the messages before the last one are answered, if they are. */
  readonly reply?: string
}

type Connect = () => Promise<NatsConnection>

interface ServerFacts {
  readonly version: string
  readonly payloadMax: number
  readonly hasJetStream: boolean
}

export class Connection {
  readonly label: string
  #server: ServerFacts = { version: '0.0.0', payloadMax: 0, hasJetStream: false }
  readonly #driver: Driver
  readonly #wire: Wire
  readonly #timeoutMs: number
  readonly #inbox: string
  readonly #waiting = new Map<string, Waiting>()
  #tokens = 0
  #batches = 0

  private constructor(driver: Driver, connection: NatsConnection, settings: Settings, connect?: Connect) {
    const { label, timeoutMs } = settings
    this.label = label
    this.#driver = driver
    this.#timeoutMs = timeoutMs
    this.#inbox = driver.createInbox()
    this.#wire = new Wire(connection, { timeoutMs, connect }, () => this.#failAll())
    this.#wire.listen(`${this.#inbox}.*`, (message) => this.#take(message))
  }

  /** @throws StoreError `DRIVER_MISSING`, or the driver's error */
  static async open(settings: Settings): Promise<Connection> {
    const { place, label, timeoutMs } = settings
    const driver = await loadDriver(label)
    if (typeof place !== 'string') return new Connection(driver, place, settings)
    const urls = urlsOf(place)
    const [{ user, password, isSecure } = { user: undefined, password: undefined, isSecure: false }] = urls
    const options = {
      servers: urls.map(({ host }) => host),
      name: 'mneme',
      noEcho: true,
      timeout: timeoutMs,
      maxReconnectAttempts: -1,
      reconnectTimeWait: reconnectMs,
      reconnectJitter: reconnectMs,
      ...(user !== undefined && password === undefined && { token: user }),
      ...(user !== undefined && password !== undefined && { user, pass: password }),
      ...(isSecure && { tls: {} }),
    }
    const connect = () => withoutLeftSockets(() => driver.connect(options))
    return new Connection(driver, await connect(), settings, connect)
  }

  /**
   * The version of the server, and the greatest message that it takes, in bytes. While there is no connection, the
   * driver knows nothing of the server; then it is what the last one said.
   */
  get server(): ServerFacts {
    const { info } = this.#wire
    if (info?.max_payload) {
      this.#server = { version: info.version, payloadMax: info.max_payload, hasJetStream: info.jetstream === true }
    }
    return this.#server
  }

  /**
   * A request to JetStream's API that may be sent twice.
   *
   * @param patienceMs how long it asks again
   * @throws Refused, NoAnswer, ConnectionLost, NobodyThere
   */
  api<Answer>(name: string, body: object = {}, patienceMs: number = this.#timeoutMs): Promise<Answer> {
    return this.#again(patienceMs, async (waitMs) => {
      const message = await this.#request(`$JS.API.${name}`, JSON.stringify(body), undefined, waitMs)
      const answer = JSON.parse(decoder.decode(message.data))
      if (answer.error !== undefined) throw new Refused(answer.error)
      return answer as Answer
    })
  }

  /**
   * Stores messages in one atomic batch, with one round trip: only the last one is answered. If the server says no more
   * than that the batch is incomplete, it is sent once more, and the server is asked what it has against each message.
   *
   * @param waitMs how long it waits for an answer
   * @param batch a name that no other batch has (`nextBatch`)
   * @returns the sequence of the last message; they are adjacent
   * @throws Refused or NobodyThere if nothing was stored, unless a quota was reached (`isOfBatch`); NoAnswer or
   *   ConnectionLost if that is unknown
   */
  async publish(
    stream: string,
    messages: readonly Outgoing[],
    waitMs: number = this.#timeoutMs,
    batch: string = this.nextBatch(),
  ): Promise<number> {
    try {
      return await this.#publish(stream, messages, { waitMs, batch })
    } catch (error) {
      if (messages.length < 2 || !isBatchGivenUp(error)) throw error
    }
    const token = String(++this.#tokens)
    let refusal: Refusal | undefined
    const take = ({ data }: Msg) => {
      if (data.length > 0) refusal ??= (JSON.parse(decoder.decode(data)) as Partial<Acknowledgement>).error
      return false
    }
    this.#waiting.set(token, { take, fail: () => {}, touch: () => {} })
    try {
      const reply = `${this.#inbox}.${token}`
      return await this.#publish(stream, messages, { waitMs, batch: batch + again, reply })
    } catch (error) {
      throw isBatchGivenUp(error) && refusal !== undefined ? new Refused(refusal) : error
    } finally {
      this.#waiting.delete(token)
    }
  }

  /** A name for a batch. */
  nextBatch(): string {
    return `${this.#inbox.slice(-12)}${++this.#batches}`
  }

  async #publish(stream: string, messages: readonly Outgoing[], { waitMs, batch, reply }: Sending): Promise<number> {
    const last = messages.length - 1
    for (let i = 0; i < last; i++) {
      const message = messages[i]!
      const headers = this.#headersOf(message, batch, i + 1)
      this.#wire.publish(message.subject, message.data, { headers, ...(reply !== undefined && { reply }) })
    }
    const headers = this.#headersOf(messages[last]!, batch, messages.length)
    headers.set('Nats-Batch-Commit', '1')
    headers.set('Nats-Expected-Stream', stream)
    const answer = await this.#request(messages[last]!.subject, messages[last]!.data, headers, waitMs)
    const { error, seq } = JSON.parse(decoder.decode(answer.data)) as Acknowledgement
    if (error !== undefined) throw new Refused(error, messages.length > 1)
    return seq
  }

  /** Some stored messages, by a direct get of a batch: from the server that answers first, leader or not. */
  several(stream: string, request: object): Promise<Several> {
    return this.#again(this.#timeoutMs, async (waitMs) => {
      const messages: Stored[] = []
      let end: MsgHdrs | undefined
      const take = ({ headers, data }: Msg) => {
        if (headers !== undefined && headers.code === 0) messages.push(storedOf(headers, data))
        else end = headers
        return end !== undefined
      }
      await this.#call(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(request), undefined, take, waitMs)
      const { code, description } = end!
      if (code !== endCode && code !== missingCode) throw new Refused({ code, err_code: code, description })
      const upTo = end!.get('Nats-UpTo-Sequence')
      const pending = Number(end!.get('Nats-Num-Pending') || 0)
      return { messages, pending, upTo: upTo === '' ? undefined : Number(upTo) }
    })
  }

  /** One stored message from the leader, with its headers, if there is one. */
  async fromLeader(stream: string, request: object): Promise<(Stored & { readonly headers: string }) | undefined> {
    type Message = { readonly subject: string; readonly seq: number; readonly data?: string; readonly hdrs?: string }
    try {
      const { message } = await this.api<{ readonly message: Message }>(`STREAM.MSG.GET.${stream}`, request)
      const { subject, seq: sequence, data = '', hdrs = '' } = message
      return { subject, sequence, data: Buffer.from(data, 'base64'), headers: Buffer.from(hdrs, 'base64').toString() }
    } catch (error) {
      if (isMissingMessage(error)) return undefined
      throw error
    }
  }

  /** Tells other processes something that no server keeps. */
  tell(subject: string): void {
    if (!this.#wire.isClosed) this.#wire.publish(subject, this.#inbox)
  }

  /** Listens to what other processes tell. @returns a function that ends it */
  listen(subject: string, listener: () => void): () => void {
    return this.#wire.listen(subject, (message) => {
      if (message.string() !== this.#inbox) listener()
    })
  }

  close(): Promise<void> {
    return this.#wire.close()
  }

  #headersOf({ expected, expectedLast, ttlSeconds }: Outgoing, batch: string, sequence: number): MsgHdrs {
    const headers = this.#driver.headers()
    headers.set('Nats-Batch-Id', batch)
    headers.set('Nats-Batch-Sequence', String(sequence))
    if (expected !== undefined) headers.set('Nats-Expected-Last-Subject-Sequence', String(expected))
    if (expectedLast !== undefined) headers.set('Nats-Expected-Last-Sequence', String(expectedLast))
    if (ttlSeconds !== undefined) headers.set('Nats-TTL', `${ttlSeconds}s`)
    return headers
  }

  /** Asks again when an answer was lost, or when a cluster is electing a leader, until the time is over. */
  async #again<Answer>(patienceMs: number, ask: (waitMs: number) => Promise<Answer>): Promise<Answer> {
    const start = elapsedMs()
    for (let waitMs = askMsMin; ; waitMs *= 2) {
      const left = patienceMs - (elapsedMs() - start)
      try {
        return await ask(Math.max(1, Math.min(waitMs, left)))
      } catch (error) {
        if (!isPassing(error) || left <= waitMs || this.#wire.isClosed) throw error
        if (!(error instanceof NoAnswer)) await rest(againMs)
      }
    }
  }

  async #request(
    subject: string,
    data: string | Uint8Array,
    headers: MsgHdrs | undefined,
    waitMs: number,
  ): Promise<Msg> {
    let answer: Msg | undefined
    const take = (message: Msg) => {
      answer = message
      return true
    }
    await this.#call(subject, data, headers, take, waitMs)
    return answer!
  }

  #call(
    subject: string,
    data: string | Uint8Array,
    headers: MsgHdrs | undefined,
    take: (message: Msg) => boolean,
    waitMs: number,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const token = String(++this.#tokens)
    const fail = (error: Error) => {
      stopTimer(timer)
      this.#waiting.delete(token)
      reject(error)
    }
    const giveUp = () => {
      this.#wire.doubt()
      fail(new NoAnswer(waitMs))
    }
    const begin = () => startTimer(giveUp, waitMs)
    let timer = begin()
    this.#waiting.set(token, {
      take: (message) => {
        if (message.headers?.code === nobodyCode) {
          fail(new NobodyThere(subject))
          return true
        }
        if (!take(message)) return false
        stopTimer(timer)
        resolve()
        return true
      },
      fail,
      touch: () => {
        stopTimer(timer)
        timer = begin()
      },
    })
    try {
      this.#wire.publish(subject, data, { reply: `${this.#inbox}.${token}`, ...(headers && { headers }) })
    } catch (error) {
      this.#wire.doubt()
      fail(error as Error)
    }
    return promise
  }

  #take(message: Msg): void {
    const token = message.subject.slice(this.#inbox.length + 1)
    const waiting = this.#waiting.get(token)
    if (waiting === undefined) return
    if (waiting.take(message)) this.#waiting.delete(token)
    else waiting.touch()
  }

  #failAll(): void {
    for (const { fail } of [...this.#waiting.values()]) fail(new ConnectionLost())
  }
}

const storedOf = (headers: MsgHdrs, data: Uint8Array): Stored => ({
  subject: headers.get('Nats-Subject'),
  sequence: Number(headers.get('Nats-Sequence')),
  data,
})
