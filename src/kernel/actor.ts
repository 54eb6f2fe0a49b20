/**
 * One aggregate instance at work. It takes all waiting commands at once, decides each on the state that the one before
 * left, sends the commits as one, and answers only when they are durable. Commands that store nothing are answered only
 * when it is certain that the state they were decided on is the newest: because a commit of the same round was stored
 * on it, or because a look at the stream's end says so. Between a round's decision and its answers nothing else happens
 * to the instance, so a conflict undoes the round by forgetting it.
 */
import { ConflictError, LoadError, OutcomeUnknownError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'
import { backOffMs, type Environment, isAhead } from '../runtime/environment.ts'
import { repeated } from '../store/commit.ts'
import type { CommitQueue } from '../store/commit-queue.ts'
import type { AppendResult } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import {
  type AcceptedCommand,
  type Answering,
  answerAccepted,
  answerDecided,
  answerIfNew,
  answerStored,
  type StoredCommand,
  withRepetitions,
} from './answers.ts'
import { isCertain } from './certainty.ts'
import { isHeldUp, passFences } from './fence.ts'
import type { KernelLimits } from './limits.ts'
import type { Looks } from './looks.ts'
import { Use } from './passivation.ts'
import type { PendingCommand } from './pending-command.ts'
import { catchUp, type LoadedState, rehydrate, StreamReplaced } from './rehydrate.ts'
import { pauseAfter, tryUpTo } from './retry.ts'
import { Round } from './round.ts'
import type { Turns } from './turns.ts'

/** What all actors of a kernel share. */
export interface ActorContext extends Answering {
  readonly queue: CommitQueue
  readonly environment: Environment
  readonly limits: KernelLimits
  /** Nothing if nobody else can write, or if answers may be stale: then no answer is confirmed by a look. */
  readonly looks: Looks | undefined
  readonly turns: Turns
  /** Who appends, as far as the store is told. */
  readonly writer: string
  /** A new unique id, for decisions. */
  readonly newId: () => string
  /** Asks for a turn of the actor, soon. */
  readonly schedule: (actor: Actor) => void
  /** Told after a round: the instance moved on from a sequence to the standing that it has now. */
  readonly advanced: (actor: Actor, from: number) => void
}

/**
 * Where an actor is in its life. `cold`: nothing loaded. `busy`: loading, or a round is with the store. `ready`: waits
 * for commands. `failed`: could not be loaded; the next command after a pause tries again.
 */
type Phase = 'cold' | 'busy' | 'ready' | 'failed'

const nothingKnown: LoadedState = Object.freeze({ state: undefined, sequence: 0, position: 0, checksum: 0 })

const failureFirstMs = 100
const failureMaxMs = 30_000
/** After so many lost rounds an instance asks for its turn instead of trying its luck. */
const lossesBeforeTurn = 2

export class Actor {
  readonly type: AggregateType
  readonly stream: StreamId
  readonly use: Use = new Use()
  readonly #context: ActorContext
  #standing: LoadedState = nothingKnown
  #phase: Phase = 'cold'
  /** Whether it is in the queue for turns. */
  #isQueued = false
  #mailbox: PendingCommand[] = []
  #underWay: Round | undefined = undefined
  /** Whether it was ever sent a command with a fence: few aggregates are. */
  #hasFences = false
  /** Whether the stream is reserved for this process. */
  #hasTurn = false
  #failures = 0
  #failure: { readonly cause: unknown; readonly retryAt: number } | undefined = undefined

  constructor(context: ActorContext, type: AggregateType, stream: StreamId) {
    this.#context = context
    this.type = type
    this.stream = stream
  }

  /** The durable state, if it is loaded. An instance that is busy with its first load has none yet. */
  get standing(): LoadedState | undefined {
    const isLoaded = this.#phase !== 'cold' && this.#phase !== 'failed' && this.#standing !== nothingKnown
    return isLoaded ? this.#standing : undefined
  }

  /** Whether it can be passivated: nothing waits and nothing is under way. */
  get idle(): boolean {
    return this.#mailbox.length === 0 && this.#phase !== 'busy' && !this.#isQueued
  }

  get waiting(): number {
    return this.#mailbox.length
  }

  post(pending: PendingCommand): void {
    this.#mailbox.push(pending)
    this.#hasFences ||= pending.fence !== undefined
  }

  /** Takes over a newer state that somebody has read, if nothing is under way; of a replaced log nothing is kept. */
  learn(standing: LoadedState | 'replaced'): void {
    if (this.#phase !== 'ready') return
    if (standing === 'replaced') this.#forget()
    else if (standing.sequence > this.#standing.sequence) this.#standing = standing
  }

  /** Notes that it waits for its turn. @returns false if it did already */
  joinQueue(): boolean {
    if (this.#isQueued) return false
    this.#isQueued = true
    return true
  }

  /** Does what can be done now: load, or decide all that waits. Never throws. */
  turn(nowMs: number): void {
    this.#isQueued = false
    if (this.#mailbox.length === 0 || this.#phase === 'busy') return
    const { retryAt = nowMs } = this.#failure ?? {}
    if (this.#phase !== 'ready' && isAhead(retryAt, nowMs, failureMaxMs)) this.#refuseAll(nowMs)
    else if (this.#phase !== 'ready') this.#guard(this.#load())
    else if (this.#hasFences && this.#mailbox.some(isHeldUp)) this.#guard(this.#passFences())
    else this.#decide(nowMs)
  }

  /** Ends the wait of every caller, with an error that says what is known; for when stopping takes too long. */
  abandon(errorOf: (stream: StreamId, pending: PendingCommand) => unknown): void {
    const underWay = this.#underWay?.commands ?? []
    for (const pending of [...underWay, ...this.#mailbox]) pending.fail(errorOf(this.stream, pending))
  }

  // -- loading ---------------------------------------------------------------------------------------

  async #load(): Promise<void> {
    this.#phase = 'busy'
    const { environment, limits, warn } = this.#context
    try {
      const load = () => rehydrate(this.#context, this.type, this.stream)
      this.#standing = await tryUpTo(limits.loadTriesMax, environment, load)
      this.#failures = 0
      this.#failure = undefined
    } catch (cause) {
      const delayMs = backOffMs(environment, this.#failures++, failureFirstMs, failureMaxMs)
      this.#failure = { cause, retryAt: environment.now() + delayMs }
      this.#phase = 'failed'
      warn({ code: 'AGGREGATE_NOT_LOADED', message: `${this.#name} could not be loaded`, cause })
      return this.#refuseAll(environment.now())
    }
    this.#becomeReady()
  }

  #refuseAll(nowMs: number): void {
    const { cause, retryAt } = this.#failure!
    const refused = this.#mailbox
    this.#mailbox = []
    const facts = { stream: this.stream, retryInMs: Math.max(0, retryAt - nowMs) }
    for (const pending of refused) pending.fail(new LoadError('AGGREGATE_LOAD_FAILED', facts, cause))
  }

  #becomeReady(): void {
    this.#phase = 'ready'
    this.#underWay = undefined
    if (this.#mailbox.length > 0) this.#context.schedule(this)
    else this.#giveTurnBack()
  }

  /** Nothing is known any more: the next command loads what is stored. */
  #forget(): void {
    this.#standing = nothingKnown
    this.#phase = 'cold'
    this.#underWay = undefined
    this.#giveTurnBack()
    if (this.#mailbox.length > 0) this.#context.schedule(this)
  }

  #giveTurnBack(): void {
    if (this.#hasTurn) this.#context.turns.giveBack(this.stream)
    this.#hasTurn = false
  }

  // -- a round: decide, write or look, answer ----------------------------------------------------------

  async #passFences(): Promise<void> {
    this.#phase = 'busy'
    await passFences(this.#mailbox.slice(0, this.#context.limits.batchCommitsMax))
    this.#decide(Math.floor(this.#context.environment.now()))
  }

  #decide(nowMs: number): void {
    const { environment, events, limits, looks } = this.#context
    const waiting = this.#mailbox
    this.#mailbox = waiting.length > limits.batchCommitsMax ? waiting.splice(limits.batchCommitsMax) : []
    const { type, stream } = this
    const place = { type, stream, limits: events.limits, nowMs, newId: this.#context.newId }
    const round = new Round(waiting, this.#standing, place, environment)
    this.#putBack(waiting)
    this.#phase = 'busy'
    this.#underWay = round
    if (round.commits.length > 0) this.#guard(this.#append(round))
    else if (looks !== undefined && round.commands.length > 0) this.#guard(this.#confirm(round, looks))
    else {
      for (const pending of round.commands) this.#answerUnstored(pending)
      this.#becomeReady()
    }
  }

  /** Nothing is to be stored: answers if the stream ends where the state does, else decides again. */
  async #confirm(round: Round, looks: Looks): Promise<void> {
    const { environment, limits } = this.#context
    const look = tryUpTo(limits.loadTriesMax, environment, () => looks.end(this.stream))
    const end = await look.catch((error: unknown) => ({ error }))
    if ('error' in end) {
      for (const pending of round.commands) this.#failUnconfirmed(pending, end.error)
      return this.#becomeReady()
    }
    const { sequence, checksum } = this.#standing
    if (end.sequence === sequence && end.checksum === checksum) {
      for (const pending of round.commands) this.#answerUnstored(pending)
      this.#giveTurnBack()
      return this.#becomeReady()
    }
    const again = round.commands.filter((pending) => this.#countConflict(pending, end.sequence))
    this.#putBack(again)
    await this.#refresh(again[0]?.conflicts ?? 0, false)
  }

  async #append(round: Round): Promise<void> {
    const { queue, writer } = this.#context
    let results: readonly AppendResult[]
    try {
      results = await queue.append(round.commits, { writer })
    } catch (error) {
      return this.#repeat(round, error)
    }
    return this.#settle(round, results)
  }

  /**
   * The store has answered: each command gets what became of it; from the first that was not stored on, all go again.
   */
  async #settle(round: Round, results: readonly AppendResult[]): Promise<void> {
    const from = this.#standing.sequence
    const { answered, duplicates, conflicts, undone } = round.settle(results)
    for (const each of answered) {
      if (each.receipt === undefined) this.#answerUnstored(each.pending)
      else this.#accept(each)
    }
    if (undone.length + conflicts.length > 0) {
      const again = new Set(undone)
      for (const { pending, sequence, reserved } of conflicts) {
        if (reserved || this.#countConflict(pending, sequence)) again.add(pending)
      }
      this.#putBack(round.commands.filter((pending) => again.has(pending)))
    }
    if (this.#standing.sequence > from) this.#context.advanced(this, from)
    const stored = withRepetitions(duplicates, this.#mailbox)
    if (stored.length > 0) void answerStored(this.#context, this, stored, this.#standing)
    if (duplicates.length + conflicts.length === 0) return this.#becomeReady()
    await this.#refresh(conflicts[0]?.pending.conflicts ?? 0, conflicts[0]?.reserved ?? false)
  }

  #accept(accepted: AcceptedCommand): void {
    const { sequence, position, checksum } = accepted.receipt
    this.#standing = { state: accepted.decided.state, sequence, position, checksum }
    this.#hasTurn = false
    answerAccepted(accepted)
  }

  /** Commands that were decided on what was not stored wait again, before those that came later. */
  #putBack(again: readonly PendingCommand[]): void {
    if (again.length === 0) return
    for (const pending of again) pending.beginAgain()
    this.#mailbox = [...again, ...this.#mailbox]
  }

  #countConflict(pending: PendingCommand, sequence: number): boolean {
    const tries = pending.countConflict()
    if (tries < this.#context.limits.conflictTriesMax) return true
    pending.fail(new ConflictError('CONFLICT', { stream: this.stream, tries, sequence }))
    return false
  }

  /**
   * Others wrote the stream: loads what was missed. Who has lost often, or to a reservation, waits for its turn first.
   */
  async #refresh(conflicts: number, reserved: boolean): Promise<void> {
    const { turns, environment } = this.#context
    const isWanted = () => this.#mailbox.some(({ isAnswered }) => !isAnswered)
    try {
      if (reserved || conflicts >= lossesBeforeTurn) this.#hasTurn = await turns.take(this.stream, isWanted)
    } catch {
      // The store is not there; the load behind this says so, and tries again.
      await pauseAfter(environment, conflicts)
    }
    try {
      this.#standing = await catchUp(this.#context, this.type, this.stream, this.#standing)
      this.#becomeReady()
    } catch (error) {
      if (error instanceof StreamReplaced) this.#standing = nothingKnown
      await this.#load()
    }
  }

  // -- when the store gives no answer ------------------------------------------------------------------

  /**
   * An append failed. If nothing was stored for certain, its callers are told; else it is appended again, which the
   * commit ids make harmless, until the store says what is true.
   */
  async #repeat(round: Round, first: unknown): Promise<void> {
    const { environment, limits, queue, warn, writer } = this.#context
    let error = first
    for (let tries = 1; !isCertain(error) && tries < limits.appendTriesMax; tries++) {
      warn({ code: 'APPEND_REPEATED', message: `An append to ${this.#name} is repeated`, cause: error })
      await pauseAfter(environment, tries)
      let results: readonly AppendResult[]
      try {
        results = await queue.append(round.commits.map(repeated), { writer })
      } catch (next) {
        // An earlier attempt may have succeeded; a later refusal proves nothing about it.
        if (!isCertain(next)) error = next
        continue
      }
      return this.#settle(round, results)
    }
    if (isCertain(error)) return this.#giveUp(round, error)
    await this.#lookUp(round, error)
  }

  /** Nothing was stored: the callers of commits get the error; the others are decided again. */
  #giveUp(round: Round, error: unknown): void {
    for (const pending of round.commands) if (pending.decided!.kind === 'events') pending.fail(error)
    this.#putBack(round.commands.filter(({ isAnswered }) => !isAnswered))
    this.#becomeReady()
  }

  /** Looks for each commit of a round by its id. One that is not there may still arrive: its caller is told so. */
  async #lookUp(round: Round, cause: unknown): Promise<void> {
    const { stream } = this
    const found: StoredCommand[] = []
    for (const pending of round.commands) {
      if (pending.decided!.kind !== 'events') continue
      const { commandId } = pending
      const receipt = await this.#context.events.findCommit(stream, commandId).catch(() => undefined)
      if (receipt === undefined) pending.fail(new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId }, cause))
      else found.push({ pending, receipt })
    }
    if (found.length > 0) void answerStored(this.#context, this, found, this.#standing)
    this.#putBack(round.commands.filter(({ decided, isAnswered }) => decided!.kind !== 'events' && !isAnswered))
    this.#forget()
  }

  // -- answers -----------------------------------------------------------------------------------------

  /** Answers a command that has nothing to store; with an id of the caller's, only if that id is not stored yet. */
  #answerUnstored(pending: PendingCommand): void {
    if (pending.repeatable) void answerIfNew(this.#context, this, pending, this.#standing)
    else answerDecided(pending, this.#standing)
  }

  /**
   * What it was decided on could not be confirmed. A command with an id of the caller's may have been stored long ago.
   */
  #failUnconfirmed(pending: PendingCommand, cause: unknown): void {
    const { stream } = this
    const { repeatable, commandId } = pending
    pending.fail(repeatable ? new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId }, cause) : cause)
  }

  /** No error leaves a caller without an answer: what is under way is given up, and the instance is loaded again. */
  #guard(work: Promise<void>): void {
    work.catch((cause: unknown) => {
      const message = `${this.#name} failed unexpectedly and is loaded again`
      this.#context.warn({ code: 'AGGREGATE_RESET', message, cause })
      const commands = this.#underWay?.commands ?? this.#mailbox.splice(0)
      for (const pending of commands) {
        const facts = { stream: this.stream, commandId: pending.commandId }
        pending.fail(new OutcomeUnknownError('OUTCOME_UNKNOWN', facts, cause))
      }
      this.#forget()
    })
  }

  get #name(): string {
    const { aggregate, id } = this.stream
    return `${aggregate} ${JSON.stringify(id)}`
  }
}
