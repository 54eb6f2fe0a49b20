/**
 * The way to another member: one link, opened when it is needed and kept open. Commands that come while others are
 * sent go together. If many or large ones have no answer yet, further ones wait here, so the other member never has
 * more than it can take, and what was not sent is certainly not stored. Commands that have no answer yet are sent again
 * when the link broke and could be opened again.
 *
 * A command may be sent to another owner only when this one cannot decide it any more. That is so in two cases. The
 * connection is refused: the process has ended. Or nothing was heard of the member for too long (`silence.ts`): the
 * member decides a command only if it has proof that its sender heard of it a shorter time ago (`serving.ts`).
 */
import { InputError } from '../domain/error.ts'
import type { HandedState } from '../kernel/handed-state.ts'
import type { Environment } from '../runtime/environment.ts'
import { Channel } from './channel.ts'
import { Outbox, type Sender } from './outbox.ts'
import { PeerLost } from './peer-lost.ts'
import { Silence, silentMs } from './silence.ts'
import { type Link, LinkError, type Transport } from './transport.ts'
import { commandText, encodeError, fromOwner, type Message, messageLengthMax, type SentCommand } from './wire.ts'

/** How often a member lets the other side know that it is there. */
const pingMs = 250
/** How long a command whose signal was aborted waits for the answer, which may say that it had no effect. */
const cancelMs = 250
/** The pause before a link that failed is tried again. */
const againMs = 25
/** When commands of so many characters have no answer, no further ones are sent. */
const unansweredMax = 8_000_000
/** A longer state is not handed over. Commands would wait behind it. */
const stateLengthMax = 1_000_000
/** So many characters of states go before commands, which then find them there. The others go when no command waits. */
const statesFirstMax = 65_536

interface PeerOptions {
  /** The other member. Another process may listen at its address now. */
  readonly id: string
  readonly address: string
  readonly transport: Transport
  readonly environment: Environment
  /** The epoch of the own view. */
  readonly epoch: () => number
  /** Called with the epoch of the other side's view. */
  readonly onEpoch: (epoch: number) => void
}

export class Peer {
  readonly #options: PeerOptions
  readonly #outbox = new Outbox()
  /** States that are handed over, and who waits until they have arrived. */
  #states: (() => HandedState | undefined)[] = []
  /** How many characters of them may still go before commands. */
  #statesFirst = 0
  #whenHanded: (() => void)[] = []
  /** How much was sent when the last of them was. */
  #handedAt: number | undefined
  #link: Link | undefined
  /** What is said over the present link. */
  #channel: Channel | undefined
  #isOpening = false
  #isClosed = false
  /** Whether it was silent for too long. Until it is heard again, no command waits for it. */
  #isSilent = false
  readonly #silence: Silence
  #cancelPing: () => void = () => {}
  /** Ends a wait for the link that is being opened. */
  #stopOpening: () => void = () => {}

  constructor(options: PeerOptions) {
    this.#options = options
    this.#silence = new Silence(options.environment)
  }

  /** Whether something was heard of it lately. */
  get isHeard(): boolean {
    return this.#options.environment.elapsed() - this.#silence.heardAt <= silentMs
  }

  /** Opens the link, so that commands need not wait for it, and so that it is known whether the member is there. */
  open(): void {
    if (this.#link === undefined) void this.#open()
  }

  /** Sends a command. */
  send(command: SentCommand, sender: Sender): void {
    if (this.#isClosed || this.#isSilent) {
      this.open()
      sender.lost(new PeerLost(this.#isClosed ? 'closed' : 'silent', undefined))
      return
    }
    const waiting = this.#outbox.add(command, sender)
    waiting.release = this.#bindTo(waiting.n, sender.signal)
    if (this.#channel === undefined) void this.#open()
    else {
      this.#channel.flushSoon()
      if (this.#outbox.size === 1) this.#ping()
    }
  }

  /** What a command that begins to wait needs beside it. @returns ends that, if it needs anything */
  #bindTo(n: number, signal: AbortSignal | undefined): (() => void) | undefined {
    // A link that is being opened in the background does not keep the process alive.
    const release = this.#link === undefined ? this.#hold() : undefined
    if (signal === undefined) return release
    const cancel = () => this.#cancel(n)
    signal.addEventListener('abort', cancel, { once: true })
    return () => {
      release?.()
      signal.removeEventListener('abort', cancel)
    }
  }

  /** The wait for a command that was not sent over the present link ends at once, and for another one soon. */
  #cancel(n: number): void {
    const waiting = this.#outbox.get(n)
    if (waiting === undefined) return
    const { isSent, release } = waiting
    if (isSent) this.#channel?.say({ say: 'cancel', n })
    const stopWaiting = this.#options.environment.after(isSent ? cancelMs : 0, () => this.#giveUp(n))
    // Otherwise a process that stops meanwhile would be kept alive for as long.
    waiting.release = () => {
      release?.()
      stopWaiting()
    }
  }

  #giveUp(n: number): void {
    const waiting = this.#outbox.take(n)
    waiting?.sender.lost(new PeerLost('closed', waiting.wasSent ? this.#silence.heardAt : undefined))
  }

  /** Keeps the process alive. @returns ends that */
  #hold(): () => void {
    const { environment } = this.#options
    let end: () => void
    const hold = () => {
      end = environment.after(silentMs, hold)
    }
    hold()
    return () => end()
  }

  /** Gives states to the other member, which will own their streams. Resolves when they have arrived, or never will. */
  handOver(states: readonly (() => HandedState | undefined)[]): Promise<void> {
    if (states.length === 0 || (this.#channel === undefined && !this.#isOpening)) return Promise.resolve()
    for (const state of states) this.#states.push(state)
    this.#handedAt = undefined
    this.#statesFirst = statesFirstMax
    this.#channel?.flushSoon()
    return new Promise((resolve) => this.#whenHanded.push(resolve))
  }

  /** Ends the hand-over when everything has arrived that was sent until the last state. */
  #lookAtStates(channel: Channel): void {
    if (this.#whenHanded.length === 0 || this.#states.length > 0 || !channel.isEmpty) return
    this.#handedAt ??= channel.sent
    if (channel.arrived >= this.#handedAt) this.#endHanding()
  }

  #endHanding(): void {
    this.#states = []
    this.#handedAt = undefined
    for (const resolve of this.#whenHanded.splice(0)) resolve()
  }

  /** Tells the other side that this one is there, and the epoch of the own view, if the link is open. */
  speak(): void {
    this.#channel?.speak()
  }

  /** Ends the link. Commands without an answer fail with `PeerLost`. */
  close(): void {
    this.#isClosed = true
    this.#end('closed')
    this.#stopOpening()
  }

  // -- opening -------------------------------------------------------------------------------------------------

  async #open(): Promise<void> {
    if (this.#isOpening || this.#isClosed) return
    this.#isOpening = true
    const { environment } = this.#options
    this.#silence.begin()
    this.#ping()
    try {
      for (;;) {
        try {
          return await this.#connect()
        } catch (error) {
          if (this.#isClosed) return
          const isRefused = error instanceof LinkError && error.kind === 'refused'
          if (isRefused) return this.#end('refused', error)
          if (this.#silence.isTooLong()) return this.#end('silent', error)
        }
        await new Promise<void>((resolve) => {
          const cancel = environment.after(againMs, resolve, { background: this.#outbox.size === 0 })
          this.#stopOpening = () => {
            cancel()
            resolve()
          }
        })
        if (this.#isClosed) return
      }
    } finally {
      this.#isOpening = false
      if (this.#link === undefined && this.#outbox.size > 0) void this.#open()
    }
  }

  /** The link is open when the other side has said the first word: then there is something to show to it. */
  async #connect(): Promise<void> {
    const { transport, address, environment } = this.#options
    const opened = Promise.withResolvers<void>()
    let isOver = false
    const channel = new Channel({
      environment,
      epoch: this.#options.epoch,
      send: (text) => link!.send(text),
      next: () => this.#next(),
    })
    const events = {
      onText: (text: string) => {
        if (this.#hear(channel, text)) return opened.resolve()
        channel.end()
        opened.reject(new LinkError('refused', `Another process listens at ${address} now`))
      },
      onClose: () => {
        if (this.#link === link) this.#broken()
        isOver = true
        opened.reject(new LinkError('failed', 'The link was closed'))
      },
    }
    opened.promise.catch(() => {})
    this.#stopOpening = () => opened.reject(new LinkError('failed', 'The link is not needed any more'))
    let link: Link | undefined
    link = await transport.connect(address, events, Math.max(againMs, this.#silence.restMs()))
    this.#silence.begin()
    // A link does not keep the process alive by itself. Commands that were sent over the last one must.
    const cancel = environment.after(silentMs, () => opened.reject(new LinkError('failed', 'No word came')), {
      background: this.#outbox.size === 0,
    })
    try {
      await opened.promise
    } catch (error) {
      link.close()
      throw error
    } finally {
      cancel()
    }
    if (isOver) throw new LinkError('failed', 'The link was closed')
    if (this.#isClosed) return link.close()
    this.#link = link
    this.#channel = channel
    channel.speak()
    this.#ping()
  }

  /** The link broke. Commands are sent again if it can be opened again. */
  #broken(): void {
    this.#drop()
    if (this.#outbox.size > 0) void this.#open()
  }

  #drop(): void {
    this.#cancelPing()
    this.#channel?.end()
    this.#channel = undefined
    this.#link?.close()
    this.#link = undefined
    this.#outbox.sendAgain()
    this.#endHanding()
  }

  #end(kind: PeerLost['kind'], cause?: unknown): void {
    this.#drop()
    this.#isSilent = kind === 'silent'
    const heardAt = this.#silence.heardAt
    for (const { wasSent, sender } of this.#outbox.takeAll()) {
      sender.lost(new PeerLost(kind, wasSent ? heardAt : undefined, { cause }))
    }
  }

  // -- talking -------------------------------------------------------------------------------------------------

  /** The next command or state for the present link, as JSON. */
  #next(): string | undefined {
    const state = this.#statesFirst > 0 ? this.#nextState() : undefined
    if (state !== undefined) {
      this.#statesFirst -= state.length
      return state
    }
    return this.#nextCommand() ?? this.#nextState()
  }

  #nextCommand(): string | undefined {
    for (let waiting = this.#outbox.next(); waiting !== undefined; waiting = this.#outbox.next()) {
      if (this.#outbox.unanswered >= unansweredMax) return undefined
      const { n, command, wasSent, sender } = waiting
      const text = commandText(n, wasSent ? { ...command, isRepeated: true } : command)
      if (text.length <= messageLengthMax) {
        this.#outbox.sent(waiting, text.length)
        return text
      }
      const { stream, name } = command
      const facts = { aggregate: stream.aggregate, command: name, sizeMax: messageLengthMax }
      this.#outbox.take(n)
      sender.lost(new InputError('COMMAND_TOO_LARGE', facts))
    }
    return undefined
  }

  #nextState(): string | undefined {
    for (let take = this.#states.pop(); take !== undefined; take = this.#states.pop()) {
      const handed = take()
      if (handed === undefined) continue
      const text = JSON.stringify({ say: 'state', handed } satisfies Message)
      if (text.length <= stateLengthMax) return text
    }
    return undefined
  }

  /**
   * Says from time to time that it is there, and notices when the other side is not. While a command waits, that keeps
   * the process alive.
   */
  #ping(): void {
    const { environment } = this.#options
    this.#cancelPing()
    this.#cancelPing = environment.after(
      Math.max(againMs, Math.min(pingMs, this.#silence.restMs())),
      () => {
        if (this.#silence.isTooLong() && this.#channel !== undefined) return this.#end('silent')
        this.#channel?.speak()
        this.#ping()
      },
      { background: this.#outbox.size === 0 },
    )
  }

  /** @returns false if it is not the other member that speaks */
  #hear(channel: Channel, text: string): boolean {
    const { from = this.#options.id, epoch, messages } = channel.hear(text)
    if (from !== this.#options.id) return false
    this.#silence.end()
    this.#isSilent = false
    this.#options.onEpoch(epoch)
    for (const said of messages) {
      const message = fromOwner(said)
      if (message.say === 'reply') {
        const waiting = this.#outbox.take(message.n)
        if (waiting === undefined) continue
        const { sender, fenceError, wasRepeated } = waiting
        const { reply } = message
        // What was sent before may be stored, even if the member does not decide it any more.
        if ('moved' in reply && wasRepeated) sender.lost(new PeerLost('closed', this.#silence.heardAt))
        else if ('error' in reply && fenceError !== undefined) sender.lost(fenceError.error)
        else sender.answered({ reply, wasRepeated })
      } else if (message.say === 'ask fence') void this.#askFence(channel, message)
    }
    this.#lookAtStates(channel)
    return true
  }

  async #askFence(channel: Channel, { n, nth, wantedMs }: Message & { readonly say: 'ask fence' }): Promise<void> {
    try {
      const fixedMs = await this.#outbox.get(n)?.sender.fence?.(wantedMs)
      channel.say({ say: 'fence', n, nth, fixedMs })
    } catch (error) {
      const waiting = this.#outbox.get(n)
      if (waiting !== undefined) waiting.fenceError = { error }
      channel.say({ say: 'fence', n, nth, error: encodeError(error) })
    }
  }
}
