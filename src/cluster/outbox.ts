/**
 * The commands that were given to a `Peer` and have no answer yet, by the number under which they are sent.
 *
 * A Map would do the same. But when the engine cleans the table of a Map, the old table points to the new one. Once an
 * old table has lived for long, the garbage collector takes the entries of all later ones for alive. With thousands of
 * commands a second, that costs more than to send them. So they are kept in slots, which are used again.
 */
import type { Fence } from '../kernel/dispatch-options.ts'
import { Line } from './line.ts'
import type { Answered, SentCommand } from './wire.ts'

/** Whoever sends a command. One of the last two is called once, at the latest when the link is closed. */
export interface Sender {
  /** Asked by the owner before each decision. */
  readonly fence?: Fence | undefined
  /** Ends the owner's work if it has not decided. */
  readonly signal?: AbortSignal | undefined
  answered(answered: Answered): void
  /** @param error `PeerLost`, or why the command cannot be sent */
  lost(error: unknown): void
}

export interface Waiting {
  /** No other command that waits has this number, and one that comes soon does not have it either. */
  readonly n: number
  /** Counts all commands. */
  readonly order: number
  readonly command: SentCommand
  readonly sender: Sender
  /** Whether it was sent over the present link. */
  isSent: boolean
  /** How long it was then, in characters. */
  size: number
  wasSent: boolean
  /** Whether it was sent over an earlier link too, so that an answer may have been lost. */
  wasRepeated: boolean
  /** What its fence has thrown, which loses its class on the way. */
  fenceError: { readonly error: unknown } | undefined
  /** Called when nobody waits for it any more. */
  release: (() => void) | undefined
}

/** A number is that of its slot, and this times how often the slot was used before. */
const slotsMax = 2 ** 24
const usesMax = 2 ** 29

export class Outbox {
  readonly #slots: (Waiting | undefined)[] = []
  /** The numbers that the slots had last. */
  readonly #numbers: number[] = []
  readonly #free: number[] = []
  /** Those that have to be sent over the present link. Some may not wait any more. */
  #unsent = new Line<Waiting>()
  #count = 0
  size = 0
  /** The characters of those that were sent over the present link. */
  unanswered = 0

  add(command: SentCommand, sender: Sender): Waiting {
    const slot = this.#free.pop() ?? this.#slots.length
    const before = this.#numbers[slot]
    const n = before === undefined ? slot : (before + slotsMax) % (slotsMax * usesMax)
    const waiting: Waiting = {
      n,
      order: this.#count++,
      command,
      sender,
      isSent: false,
      size: 0,
      wasSent: false,
      wasRepeated: false,
      fenceError: undefined,
      release: undefined,
    }
    this.#slots[slot] = waiting
    this.#numbers[slot] = n
    this.#unsent.add(waiting)
    this.size++
    return waiting
  }

  get(n: number): Waiting | undefined {
    const waiting = this.#slots[n % slotsMax]
    return waiting?.n === n ? waiting : undefined
  }

  /** Takes a command from those that wait. */
  take(n: number): Waiting | undefined {
    const waiting = this.get(n)
    if (waiting === undefined) return undefined
    this.#slots[n % slotsMax] = undefined
    this.#free.push(n % slotsMax)
    this.size--
    if (waiting.isSent) this.unanswered -= waiting.size
    waiting.release?.()
    return waiting
  }

  /** The next command that has to be sent. It stays the next until it is taken or sent. */
  next(): Waiting | undefined {
    for (let waiting = this.#unsent.first; waiting !== undefined; waiting = this.#unsent.first) {
      if (!waiting.isSent && this.get(waiting.n) === waiting) return waiting
      this.#unsent.take()
    }
    return undefined
  }

  /** Notes that a command was sent over the present link. */
  sent(waiting: Waiting, size: number): void {
    waiting.isSent = true
    waiting.size = size
    waiting.wasRepeated = waiting.wasSent
    waiting.wasSent = true
    this.unanswered += size
  }

  /** All that wait have to be sent over the next link. */
  sendAgain(): void {
    this.#unsent = new Line()
    for (const waiting of this.#inOrder()) {
      waiting.isSent = false
      this.#unsent.add(waiting)
    }
    this.unanswered = 0
  }

  /** Takes all. */
  takeAll(): readonly Waiting[] {
    return this.#inOrder().map(({ n }) => this.take(n)!)
  }

  #inOrder(): Waiting[] {
    return this.#slots.filter((waiting) => waiting !== undefined).sort((a, b) => a.order - b.order)
  }
}
