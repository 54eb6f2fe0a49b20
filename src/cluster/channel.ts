/**
 * What two members say to each other over one link. Messages go together in packets. However much there is to say, each
 * side soon hears that the other one is there, and what it has heard last:
 *
 * - A packet is short. A long message goes in pieces, over several packets.
 * - Commands, replies and pieces wait until the other side has received most of what was sent before. Each packet says
 *   how much its sender has received. So little waits on the line, and a packet that is made now arrives soon.
 * - Short messages (a cancellation, a question, its answer) go first.
 */
import type { Environment } from '../runtime/environment.ts'
import { isPiece, type Message, messageLengthMax, type Packet, type Said } from './wire.ts'

/**
 * How long a packet may be before no further message joins it, in characters. What comes in one packet is decided
 * together and goes to the store in one batch, so packets of a few commands cost the owner much more.
 */
const packetLengthMax = 250_000
/** A longer message goes in pieces of half that length, in characters. With one of them, a packet fits into a frame. */
const wholeLengthMax = 65_536
/** How much may be under way, in characters, when a command, a reply or a piece is sent. */
const windowMax = 1_000_000
/** How long a side that hears something may say nothing, in milliseconds. */
const quietMs = 100
/** A side that has received so much tells it, even if it has nothing else to say. */
const receivedMax = 65_536

interface ChannelOptions {
  readonly environment: Pick<Environment, 'elapsed' | 'defer'>
  /** The epoch of the own view. */
  readonly epoch: () => number
  /** The own id, if the first packet is to tell it. */
  readonly from?: string
  /** Sends a text over the link. */
  readonly send: (text: string) => void
  /** Takes the next command or reply, as JSON, if there is one that may be sent now. */
  readonly next: () => string | undefined
}

/** A message that is sent in pieces. */
interface Long {
  readonly text: string
  /** Where its next piece begins. */
  from: number
}

export class Channel {
  readonly #options: ChannelOptions
  #short: string[] = []
  readonly #long: Long[] = []
  #isFlushing = false
  #isOver = false
  /** When the last packet was sent. */
  #spokeAt = Number.NEGATIVE_INFINITY
  /** Whether a packet has to be sent even if there is no message. */
  #mustSpeak = false
  /** Characters that were sent; of those, the ones that the other side has received. */
  #sent = 0
  #arrived = 0
  /** Characters that were received; of those, the ones that the other side knows of. */
  #received = 0
  #told = 0
  /** The beginning of a message whose last piece is not here. */
  #pieces: string[] = []
  #piecesLength = 0
  /** The other side's newest time. */
  #newest = 0
  /** The newest time of the own clock that the other side has seen. */
  seenThere: number = Number.NEGATIVE_INFINITY

  constructor(options: ChannelOptions) {
    this.#options = options
  }

  /** Sends a message before all commands and replies. */
  say(message: Message): void {
    const text = JSON.stringify(message)
    if (text.length > wholeLengthMax) this.#long.push({ text, from: 0 })
    else this.#short.push(text)
    this.flushSoon()
  }

  /** Sends a packet, even if there is no message: it shows that this side is there, and what it has heard. */
  speak(): void {
    this.#mustSpeak = true
    this.flushSoon()
  }

  /** The same, unless a packet has shown that a moment ago. */
  speakAgain(): void {
    if (this.#options.environment.elapsed() - this.#spokeAt >= quietMs) this.speak()
  }

  /** Whether nothing of a message waits. */
  get isEmpty(): boolean {
    return this.#short.length === 0 && this.#long.length === 0
  }

  /** The characters that were sent so far. */
  get sent(): number {
    return this.#sent
  }

  /** How many of them the other side has received. */
  get arrived(): number {
    return this.#arrived
  }

  /** There may be something that `next` gives. */
  flushSoon(): void {
    if (this.#isFlushing || this.#isOver) return
    this.#isFlushing = true
    // What else is said in this turn of the event loop goes with it.
    this.#options.environment.defer(() => {
      this.#isFlushing = false
      this.#flush()
    })
  }

  /** Sends nothing any more. */
  end(): void {
    this.#isOver = true
  }

  /** Takes a packet from the other side. @throws Error if a message is too long */
  hear(text: string): Pick<Packet, 'epoch' | 'from' | 'messages'> {
    const { at, seen, got, epoch, from, messages } = JSON.parse(text) as Packet
    this.#newest = at
    this.seenThere = seen
    this.#arrived = got
    this.#received += text.length
    this.flushSoon()
    const whole = messages.some(isPiece) ? this.#whole(messages) : messages
    return { epoch, ...(from !== undefined && { from }), messages: whole }
  }

  #whole(messages: readonly Said[]): readonly Said[] {
    const whole: Said[] = []
    for (const message of messages) {
      if (!isPiece(message)) {
        whole.push(message)
        continue
      }
      this.#pieces.push(message.text)
      this.#piecesLength += message.text.length
      if (this.#piecesLength > messageLengthMax) throw new Error('A message of another member is too long')
      if (!message.isLast) continue
      whole.push(JSON.parse(this.#pieces.join('')) as Said)
      this.#pieces = []
      this.#piecesLength = 0
    }
    return whole
  }

  #flush(): void {
    const { environment, epoch, from, send } = this.#options
    while (!this.#isOver) {
      const messages = this.#take()
      const isDue = this.#mustSpeak || this.#received - this.#told >= receivedMax
      if (messages.length === 0 && !isDue) return
      this.#mustSpeak = false
      this.#told = this.#received
      const first = this.#sent === 0 && from !== undefined && { from }
      this.#spokeAt = environment.elapsed()
      const head = { at: this.#spokeAt, seen: this.#newest, got: this.#received, epoch: epoch(), ...first }
      const text = `${JSON.stringify(head).slice(0, -1)},"messages":[${messages.join()}]}`
      this.#sent += text.length
      send(text)
    }
  }

  /** The messages of the next packet. */
  #take(): readonly string[] {
    const messages: string[] = []
    let length = 0
    const add = (message: string) => {
      messages.push(message)
      length += message.length
    }
    let taken = 0
    while (length < packetLengthMax && taken < this.#short.length) add(this.#short[taken++]!)
    this.#short = taken === this.#short.length ? [] : this.#short.slice(taken)
    while (length < packetLengthMax && this.#sent + length - this.#arrived < windowMax) {
      const piece = this.#nextPiece()
      const message = piece ?? this.#options.next()
      if (message === undefined) break
      // A piece may be longer than its text, because JSON has a backslash before each quotation mark.
      if (piece !== undefined || message.length <= wholeLengthMax) add(message)
      else this.#long.push({ text: message, from: 0 })
    }
    return messages
  }

  #nextPiece(): string | undefined {
    const long = this.#long[0]
    if (long === undefined) return undefined
    const text = long.text.slice(long.from, long.from + wholeLengthMax / 2)
    long.from += text.length
    const isLast = long.from === long.text.length
    if (isLast) this.#long.shift()
    return JSON.stringify({ say: 'piece', text, isLast } satisfies Message)
  }
}
