/**
 * Serves another member: decides the commands that come over its link, and answers them.
 *
 * The other member may give this one up and send a command to another owner. Then this one must not decide it any more,
 * or the caller's answer would not be the only one. So a command is decided only while the other member is certainly
 * still waiting. Each packet of it says what it has heard last, as a time of this member's own clock. Until `validMs`
 * after that time, it cannot have given up, because it waits longer. That is asked before each decision. If a decision
 * is then stored too late, the expected sequence of its commit shows whether another owner has stored something.
 */
import { hasCode } from '../domain/error.ts'
import type { Json } from '../domain/json.ts'
import type { Outcome } from '../domain/outcome.ts'
import type { StreamId } from '../domain/stream.ts'
import type { DispatchOptions } from '../kernel/dispatch-options.ts'
import type { HandedState } from '../kernel/handed-state.ts'
import { Moved } from '../kernel/moved.ts'
import type { KeyRing } from '../kernel/personal/key-ring.ts'
import type { Environment } from '../runtime/environment.ts'
import { soon } from '../runtime/timers.ts'
import { Channel } from './channel.ts'
import { Line } from './line.ts'
import { type Result, replyText } from './reply.ts'
import { silentMs, validMs } from './silence.ts'
import type { Link, LinkEvents } from './transport.ts'
import { decodeData, decodeError, fromSender, type Message, opened, type SentCommand } from './wire.ts'

/** Decides the commands of one domain. */
export interface Decider {
  readonly keys: KeyRing | undefined
  /** Decides a command here. @throws Moved if this member does not own the stream */
  dispatch(stream: StreamId, name: string, data: unknown, options: DispatchOptions, epoch: number): Promise<Outcome>
  /** Ends the use of a domain that was lent. */
  release?(): void
}

interface ServingOptions {
  /** The id of this member. */
  readonly id: string
  readonly link: Link
  readonly environment: Environment
  /** Finds the domain of a command. */
  readonly deciderOf: (command: SentCommand, epoch: number) => Decider | Promise<Decider>
  /** The keys of the states that are handed over. */
  readonly keys: KeyRing | undefined
  readonly epoch: () => number
  /** Called with the epoch of the other side's view, before its commands are handled. */
  readonly onEpoch: (epoch: number) => void
  /** Called with the state of a stream that this member will own. */
  readonly onState: (handed: HandedState) => void
  readonly onEnd: () => void
}

/** A command that is being handled. */
interface Handling {
  readonly n: number
  /** Its place among those that are handled. */
  at: number
  /** Ends the wait for its answer. Absent before it waits. */
  abort: ((reason: unknown) => void) | undefined
  isAborted: boolean
}

export class Serving implements LinkEvents {
  readonly #options: ServingOptions
  /** In any order. `outbox.ts` says why they are not in a Map. */
  readonly #handled: Handling[] = []
  /** Replies that are not sent. They become JSON only then. */
  #replies = new Line<{ readonly n: number; readonly command: SentCommand; readonly result: Result }>()
  readonly #channel: Channel
  /**
   * Questions whether a command may be decided, by number. The decision waits for each answer, also when the caller of
   * the command has given it up meanwhile.
   */
  readonly #fences = new Map<number, PromiseWithResolvers<number | undefined>>()
  #lastFence = 0
  #isClosed = false
  #heardAt: number
  #cancelWatch: () => void = () => {}
  #wake: () => void = () => {}

  constructor(options: ServingOptions) {
    this.#options = options
    const { id, link, environment, epoch } = options
    this.#heardAt = environment.elapsed()
    this.#channel = new Channel({
      environment,
      epoch,
      from: id,
      send: (text) => {
        link.send(text)
        this.#wake()
      },
      next: () => this.#nextReply(),
    })
    this.#watch()
    this.#channel.speak() // the first word, which opens the link
  }

  onText(text: string): void {
    const { epoch, messages } = this.#channel.hear(text)
    this.#heardAt = this.#options.environment.elapsed()
    this.#options.onEpoch(epoch)
    let hasStates = false
    for (const said of messages) {
      const message = fromSender(said)
      if (message.say === 'command') this.#handle(message.n, message.command, epoch)
      else if (message.say === 'cancel') this.#abort(this.#handled.find(({ n }) => n === message.n))
      else if (message.say === 'fence') this.#passFence(message)
      else if (message.say === 'state') {
        hasStates = true
        void this.#receive(message.handed)
      }
    }
    if (hasStates) this.#channel.speak()
    else this.#channel.speakAgain()
    soon(this.#wake)
  }

  onClose(): void {
    this.#isClosed = true
    this.#channel.end()
    this.#replies = new Line()
    this.#cancelWatch()
    this.#wake()
    for (const handling of this.#handled) this.#abort(handling)
    for (const { reject } of this.#fences.values()) reject(new Moved())
    this.#options.onEnd()
  }

  /** Waits until all replies are sent. */
  async drain(): Promise<void> {
    while (!this.#isClosed && (this.#replies.length > 0 || !this.#channel.isEmpty)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  close(): void {
    this.onClose()
    this.#options.link.close()
  }

  /**
   * Ends a link whose other side is silent. It may have lost its machine, and its fences would hold others up. A live
   * one opens the link again.
   */
  #watch(): void {
    const { environment } = this.#options
    const dueAt = environment.elapsed() + silentMs
    const look = () => {
      const now = environment.elapsed()
      const stoodStill = now - dueAt > silentMs / 6
      if (!stoodStill && now - this.#heardAt > silentMs) this.close()
      else this.#watch()
    }
    this.#cancelWatch = environment.after(silentMs, look, { background: true })
  }

  /** A state that cannot be read is loaded when it is needed. */
  async #receive(handed: HandedState): Promise<void> {
    const { keys, onState } = this.#options
    try {
      // Commands in the same packet find it there.
      onState(keys === undefined ? handed : { ...handed, state: await opened(handed.state, keys) })
    } catch {}
  }

  #handle(n: number, command: SentCommand, epoch: number): void {
    const handling: Handling = { n, at: this.#handled.length, abort: undefined, isAborted: false }
    this.#handled.push(handling)
    const answer = (result: Result) => {
      this.#remove(handling)
      if (this.#isClosed) return
      this.#replies.add({ n, command, result })
      this.#channel.flushSoon()
    }
    this.#decide(handling, command, epoch).then(
      (outcome) => answer({ outcome }),
      (error) => answer(error instanceof Moved || hasCode(error, 'STOPPED') ? { moved: true } : { error }),
    )
  }

  /** The last one takes the place of one that was handled. */
  #remove({ at }: Handling): void {
    const last = this.#handled.pop()!
    if (last.at === at) return
    last.at = at
    this.#handled[at] = last
  }

  #decide(handling: Handling, command: SentCommand, epoch: number): Promise<Outcome> {
    try {
      const options = this.#optionsOf(command, handling)
      const decider = this.#options.deciderOf(command, epoch)
      const isSimple = !(decider instanceof Promise) && decider.keys === undefined && decider.release === undefined
      if (!isSimple) return decideWith(decider, command, options, epoch)
      return decider.dispatch(Object.freeze(command.stream), command.name, inputOf(command.data), options, epoch)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #optionsOf(command: SentCommand, handling: Handling): DispatchOptions {
    const { commandId, idBy, isRepeated, hasFence = false, expectedSequence, metadata, tags } = command
    const isOwn = idBy === undefined
    const options: DispatchOptions = {
      commandId: idBy === 'caller' ? commandId : undefined,
      derivedId: idBy === 'reaction' ? commandId : undefined,
      ownId: isOwn ? commandId : undefined,
      isRepeated: isOwn && isRepeated === true,
      fence: hasFence ? (wantedMs) => this.#askFence(handling.n, wantedMs) : this.#checkValid,
      isStillClear: this.#isValid,
      isClearAtFirst: !hasFence,
      mayFailMoved: true,
      onWaiting: (abort) => {
        handling.abort = abort
        if (handling.isAborted) abort(undefined)
      },
      expectedSequence,
    }
    if (metadata === undefined && tags === undefined) return options
    return { ...options, ...(metadata && { metadata }), ...(tags && { tags }) }
  }

  #abort(handling: Handling | undefined): void {
    if (handling === undefined) return
    handling.isAborted = true
    handling.abort?.(undefined)
  }

  #nextReply(): string | undefined {
    const reply = this.#replies.take()
    return reply && replyText(reply.n, reply.command, reply.result)
  }

  /** @throws Moved if the sender may have given up; its own error if the sender's fence throws */
  async #askFence(n: number, wantedMs: number | undefined): Promise<number | undefined> {
    if (!this.#isValid()) throw new Moved()
    const nth = ++this.#lastFence
    const answer = Promise.withResolvers<number | undefined>()
    this.#fences.set(nth, answer)
    this.#channel.say({ say: 'ask fence', n, nth, wantedMs })
    let fixedMs: number | undefined
    try {
      fixedMs = await answer.promise
    } finally {
      this.#fences.delete(nth)
    }
    if (!this.#isValid()) throw new Moved()
    return fixedMs
  }

  /** The fence of most commands, for which nobody has to be asked. @throws Moved if the sender may have given up */
  readonly #checkValid = async (): Promise<undefined> => {
    if (!this.#isValid()) throw new Moved()
  }

  /** Whether the sender certainly still waits. */
  readonly #isValid = (): boolean =>
    !this.#isClosed && this.#options.environment.elapsed() - this.#channel.seenThere <= validMs

  #passFence(answer: Message & { readonly say: 'fence' }): void {
    const fence = this.#fences.get(answer.nth)
    if ('error' in answer) fence?.reject(decodeError(answer.error))
    else fence?.resolve(answer.fixedMs)
  }
}

/** Decides a command in a domain that may have to be waited for, was lent, or has personal fields. */
async function decideWith(
  found: Decider | Promise<Decider>,
  { stream, name, data }: SentCommand,
  options: DispatchOptions,
  epoch: number,
): Promise<Outcome> {
  const decider = await found
  try {
    const json = data === undefined ? undefined : await opened(data, decider.keys)
    return await decider.dispatch(Object.freeze(stream), name, inputOf(json), options, epoch)
  } finally {
    decider.release?.()
  }
}

const inputOf = (json: Json | undefined): unknown => (json === undefined ? undefined : decodeData(json))
