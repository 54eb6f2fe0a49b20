/**
 * Sends each command to the member that owns its stream, which may be this one. If the owner is lost, the command waits
 * for the next one, so its caller gets an answer and no error.
 */
import { CancelledError, ClusterError, hasCode, MnemeError, OutcomeUnknownError } from '../domain/error.ts'
import type { Outcome } from '../domain/outcome.ts'
import { ownCopy } from '../domain/own-copy.ts'
import type { StreamId } from '../domain/stream.ts'
import type { DispatchOptions } from '../kernel/dispatch-options.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { Moved } from '../kernel/moved.ts'
import type { KeyRing } from '../kernel/personal/key-ring.ts'
import { type Environment, sleep } from '../runtime/environment.ts'
import { deepFreeze } from '../runtime/freeze.ts'
import type { Observing } from '../runtime/observing.ts'
import { checkMetadata, checkTags } from '../store/commit.ts'
import type { Membership } from './membership.ts'
import { observedForward } from './observed-forward.ts'
import { PeerLost } from './peer-lost.ts'
import { settledAfterEndMs, settledMs } from './silence.ts'
import type { Member } from './view.ts'
import {
  type Answered,
  completeOutcome,
  decodeError,
  decodeOutcome,
  encodeData,
  isWhole,
  opened,
  type Reply,
  type SentCommand,
} from './wire.ts'

/** What a router has to know of the members. `Membership` does for a domain. */
export type Owners = Pick<
  Membership,
  | 'id'
  | 'epoch'
  | 'isLeaving'
  | 'ended'
  | 'ownerOf'
  | 'owns'
  | 'refresh'
  | 'peerOf'
  | 'hasEnded'
  | 'remove'
  | 'takeOver'
>

interface RouterOptions {
  /** The tenant whose commands these are, if the members run the domains of many. */
  readonly tenant?: string
  readonly kernel: Kernel
  readonly membership: Owners
  readonly environment: Environment
  readonly keys: KeyRing | undefined
  /** Absent if nobody observes. */
  readonly observing: Observing | undefined
  /** How long a command looks for its owner. */
  readonly routeTimeoutMs: number
}

/** A command on its way. */
interface Journey {
  readonly stream: StreamId
  readonly name: string
  readonly data: unknown
  readonly options: DispatchOptions
  readonly command: SentCommand
  readonly begunAt: number
  /** Whether it is counted here, and not by the kernel. */
  readonly isCounted: boolean
  /** Whether it was sent to another member, so that it may be stored. */
  wasSent: boolean
  /** When everything is stored that a lost member may have decided, to which it was sent. */
  settledAt: number
  /** The epoch of the view that the last try followed. */
  triedIn: number
  /** Why the last try failed. */
  last: unknown
}

/** The pause before a command looks for its owner again. */
const lookAgainMs = 5
const lookAgainMsMax = 100

export class Router {
  readonly #options: RouterOptions
  /** Commands that look for their owner or wait for it; the kernel has counted some. */
  #routed = 0
  /** The others. */
  underWay = 0
  /** Who waits until none is routed. */
  readonly #whenQuiet: (() => void)[] = []
  forwarded = 0
  longestPauseMs = 0

  constructor(options: RouterOptions) {
    this.#options = options
  }

  /** Sends a command to the owner of its stream, and waits for the outcome. */
  dispatch(stream: StreamId, name: string, data: unknown, options: DispatchOptions): Promise<Outcome> {
    const { membership, kernel, keys, observing } = this.#options
    if (membership.isLeaving) throw new CancelledError('STOPPED', { what: `The command ${name}` })
    const owner = membership.ownerOf(stream)
    if (owner?.id === membership.id) return kernel.dispatch(stream, name, data, options)
    kernel.admit()
    const journey = this.#begin(stream, name, data, options, true)
    const isSimple = keys === undefined && observing === undefined && options.signal?.aborted !== true
    return owner !== undefined && isSimple ? this.#sendFirst(owner, journey) : this.#search(journey, 0)
  }

  /** Sends a command on that the kernel was given and that belongs to another member. */
  async sendOn(stream: StreamId, name: string, data: unknown, options: DispatchOptions): Promise<Outcome> {
    const isKnown = !this.#options.membership.owns(stream)
    return this.#search(this.#begin(stream, name, data, options, false), isKnown ? 0 : 1)
  }

  /** Waits until the commands that were sent to other members are answered. */
  async drain(): Promise<void> {
    if (this.#routed > 0) await new Promise<void>((resolve) => this.#whenQuiet.push(resolve))
  }

  #begin(stream: StreamId, name: string, data: unknown, options: DispatchOptions, isCounted: boolean): Journey {
    const { kernel, environment } = this.#options
    const { commandId, derivedId, ownId = environment.newCommandId() } = options
    kernel.check(stream, name, data, { ...options, ownId })
    // The caller may change what it gave before it is sent.
    const own = ownCopy('The data of a command', data)
    const command = this.#commandOf(stream, name, own, options, commandId ?? derivedId ?? ownId)
    const { metadata, tags } = command
    const journey: Journey = {
      stream,
      name,
      data: own,
      options: metadata || tags ? { ...options, ...(metadata && { metadata }), ...(tags && { tags }) } : options,
      command,
      begunAt: environment.elapsed(),
      isCounted,
      wasSent: false,
      settledAt: Number.NEGATIVE_INFINITY,
      triedIn: this.#options.membership.epoch,
      last: undefined,
    }
    this.#routed++
    if (isCounted) this.underWay++
    return journey
  }

  #end({ isCounted }: Journey): void {
    if (isCounted) this.underWay--
    if (--this.#routed === 0) for (const wake of this.#whenQuiet.splice(0)) wake()
  }

  /** The first try, without what most commands do not need. If the owner does not decide it, others follow. */
  #sendFirst(owner: Member, journey: Journey): Promise<Outcome> {
    const { fence, signal } = journey.options
    return new Promise((resolve) => {
      const answered = (answer: Answered) => {
        const outcome = outcomeOf(journey.command, answer.reply)
        if (outcome === undefined) return resolve(this.#search(journey, 0, this.#receive(owner, journey, answer)))
        this.forwarded++
        this.#end(journey)
        resolve(outcome)
      }
      const lost = (error: unknown) => resolve(this.#search(journey, 0, this.#lose(owner, journey, error)))
      this.#options.membership.peerOf(owner).send(journey.command, { fence, signal, answered, lost })
    })
  }

  /**
   * Looks for the owner until one has answered.
   *
   * @param tried how often it was tried already
   * @param first what comes of the first try, if that is under way
   */
  async #search(journey: Journey, tried: number, first?: Promise<Outcome | undefined>): Promise<Outcome> {
    const { environment, routeTimeoutMs, membership } = this.#options
    const { options, begunAt } = journey
    try {
      for (let tries = tried, under = first; ; tries++, under = undefined) {
        if (under === undefined) {
          if (tries > 0) await this.#unlessAborted(options, this.#lookAgain(tries, journey.triedIn))
          if (options.signal?.aborted) throw cut(journey, 'ABORTED', options.signal.reason)
          if (membership.ended.aborted) throw cut(journey, 'STOPPED')
          if (environment.elapsed() - begunAt > routeTimeoutMs) throw unreachable(journey)
        }
        let answer: Outcome | { readonly error: unknown } | undefined
        try {
          answer = await (under ?? this.#try(journey))
        } catch (error) {
          answer = { error }
        }
        if (answer === undefined) continue
        // The lost owner may live, and decide it on a later state. A "no" or an error would not be the only answer.
        const restMs = journey.settledAt - environment.elapsed()
        if (restMs > 0 && !isSettled(answer)) {
          await this.#unlessAborted(options, sleep(environment, restMs, membership.ended))
          continue
        }
        if ('error' in answer) throw withReason(answer.error, journey)
        if (tries > 0) this.longestPauseMs = Math.max(this.longestPauseMs, environment.elapsed() - begunAt)
        return answer
      }
    } finally {
      this.#end(journey)
    }
  }

  /** Sends a command to its present owner. @returns `undefined` if that is no longer, or not yet, the owner */
  async #try(journey: Journey): Promise<Outcome | undefined> {
    const { stream, options, command, wasSent } = journey
    const { membership } = this.#options
    const owner = membership.ownerOf(stream)
    journey.triedIn = membership.epoch
    if (owner === undefined) {
      journey.last = new Error(`No member knows the aggregate ${stream.aggregate}`)
      // The others are gone while this one leaves.
      if (membership.isLeaving) await this.#unlessAborted(options, this.#replace(undefined, journey))
      return undefined
    }
    try {
      if (owner.id === membership.id) return await this.#decideHere(journey)
      const sent = wasSent ? ({ ...command, isRepeated: true } as const) : command
      return await this.#receive(owner, journey, await this.#send(owner, sent, options))
    } catch (error) {
      return this.#lose(owner, journey, error)
    }
  }

  /** What the owner has answered. @returns `undefined` if it does not own the stream */
  async #receive(owner: Member, journey: Journey, { reply, wasRepeated }: Answered): Promise<Outcome | undefined> {
    const { stream, command } = journey
    const { membership, kernel, keys } = this.#options
    if ('moved' in reply) {
      journey.last = new Error(`The member ${owner.address} does not own the stream in epoch ${membership.epoch}`)
      return undefined
    }
    this.forwarded++
    journey.wasSent ||= wasRepeated
    if ('error' in reply) return this.#lose(owner, journey, decodeError(reply.error))
    const load = async (sequence: number) => (await kernel.state(stream, { sequence })).state
    try {
      const readable = keys === undefined ? reply.outcome : await opened(reply.outcome, keys)
      return frozen(await completeOutcome(command, readable, load))
    } catch (cause) {
      // It is decided, and perhaps stored.
      throw new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId: command.commandId }, cause)
    }
  }

  /** A try has failed. @returns `undefined` if another one may follow. @throws the error of the command */
  async #lose(owner: Member, journey: Journey, error: unknown): Promise<undefined> {
    if (error instanceof Moved) return undefined
    if (!(error instanceof PeerLost)) throw journey.wasSent ? perhapsStored(journey, error) : error
    journey.last = error
    if (error.heardAt !== undefined) {
      const afterMs = error.kind === 'refused' ? settledAfterEndMs : settledMs
      journey.settledAt = Math.max(journey.settledAt, error.heardAt + afterMs)
      journey.wasSent = true
    }
    await this.#unlessAborted(journey.options, this.#replace(owner, journey, error.kind))
    return undefined
  }

  /** @throws Moved */
  async #decideHere({ stream, name, data, options, command, isCounted, wasSent }: Journey): Promise<Outcome> {
    const { commandId, idBy } = command
    const id = idBy === undefined && { ownId: commandId, isRepeated: wasSent }
    // The kernel counts it now.
    if (isCounted) this.underWay--
    try {
      const own = { ...options, ...id, mayFailMoved: true, isAdmitted: true }
      return await this.#options.kernel.dispatch(stream, name, data, own)
    } finally {
      if (isCounted) this.underWay++
    }
  }

  /** An owner gives no answer, or there is none: removes it if it has ended, and otherwise takes the shard over. */
  async #replace(owner: Member | undefined, journey: Journey, kind?: PeerLost['kind']): Promise<void> {
    const { membership } = this.#options
    try {
      if (kind === 'closed') return
      if (owner === undefined || kind === undefined) await membership.takeOver(journey.stream, undefined)
      else if (kind === 'refused' || (await membership.hasEnded(owner))) await membership.remove(owner, kind)
      else await membership.takeOver(journey.stream, owner)
    } catch (error) {
      // The store is unavailable, perhaps only for a moment.
      journey.last = error
    }
  }

  #commandOf(stream: StreamId, name: string, data: unknown, options: DispatchOptions, id: string): SentCommand {
    const { commandId, derivedId, fence, expectedSequence, metadata, tags } = options
    const { tenant } = this.#options
    return {
      tenant,
      stream,
      name,
      data: data === undefined ? undefined : encodeData(data),
      commandId: id,
      idBy: commandId !== undefined ? 'caller' : derivedId !== undefined ? 'reaction' : undefined,
      hasFence: fence === undefined ? undefined : true,
      expectedSequence,
      metadata: metadata && checkMetadata(metadata),
      tags: tags && checkTags(tags),
    }
  }

  #send(owner: Member, sent: SentCommand, { fence, signal, parent }: DispatchOptions): Promise<Answered> {
    const { membership, observing } = this.#options
    const peer = membership.peerOf(owner)
    const send = (command: SentCommand) =>
      new Promise<Answered>((answered, lost) => peer.send(command, { fence, signal, answered, lost }))
    return observing === undefined ? send(sent) : observedForward(observing, sent, { to: owner.address, parent }, send)
  }

  /** Waits for something that never throws, or until the caller does not wait any more. */
  async #unlessAborted({ signal }: DispatchOptions, something: Promise<void>): Promise<void> {
    if (signal === undefined) return something
    const over = new AbortController()
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true, signal: over.signal })
    })
    await Promise.race([something, aborted])
    over.abort()
  }

  /** The view was not the newest, or it changes at this moment. */
  async #lookAgain(tries: number, triedIn: number): Promise<void> {
    const { environment, membership } = this.#options
    if (tries === 1 && membership.epoch > triedIn) return
    const restMs = Math.min(lookAgainMs * tries, lookAgainMsMax)
    if (tries > 1) await sleep(environment, restMs, membership.ended)
    await membership.refresh().catch(() => {})
  }
}

/** The outcome that a reply has, if it can be given to the caller as it is. */
function outcomeOf(command: SentCommand, reply: Reply): Outcome | undefined {
  if (!('outcome' in reply) || !isWhole(reply.outcome)) return undefined
  try {
    return frozen(decodeOutcome(command, reply.outcome))
  } catch {
    return undefined
  }
}

/** Whether no later decision can make an answer untrue: something is stored, or it says that this is unknown. */
function isSettled(answer: Outcome | { readonly error: unknown }): boolean {
  if ('error' in answer) return hasCode(answer.error, 'OUTCOME_UNKNOWN')
  return answer.accepted && answer.events.length > 0
}

/** Errors of a repeated command that were given after a look whether it is stored. */
const looked: readonly string[] = ['DECIDE_FAILED', 'SEQUENCE_UNEXPECTED', 'COMMAND_ID_REUSED', 'OUTCOME_UNKNOWN']

function perhapsStored({ stream, command: { commandId } }: Journey, error: unknown): unknown {
  if (!(error instanceof MnemeError) || looked.includes(error.code)) return error
  return new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId }, error)
}

/** The signal's own reason does not come back from another member. */
function withReason(error: unknown, journey: Journey): unknown {
  const { signal } = journey.options
  return signal?.aborted && hasCode(error, 'ABORTED') ? cut(journey, 'ABORTED', signal.reason) : error
}

/** The search for the owner ends, because the caller or this process does not go on. */
function cut({ command, wasSent, last }: Journey, code: 'ABORTED' | 'STOPPED', reason: unknown = last): MnemeError {
  const { name, stream, commandId } = command
  if (wasSent) return new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId }, reason)
  return new CancelledError(code, { what: `The command ${name}` }, reason)
}

function unreachable({ command, wasSent, last }: Journey): MnemeError {
  const { stream, commandId } = command
  if (wasSent) return new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId }, last)
  return new ClusterError('OWNER_UNREACHABLE', { stream }, last)
}

/** As the kernel gives outcomes: callers share nothing that they could change. */
function frozen(outcome: Outcome): Outcome {
  if (!outcome.accepted) return outcome
  deepFreeze(outcome.state)
  for (const { data } of outcome.events) deepFreeze(data)
  return outcome
}
