/**
 * One live aggregate instance. It decides all waiting commands in one round, each on the state that the previous one
 * left. It sends the commits of the round together and answers when they are durable. A command that stores nothing is
 * answered when its state is known to be the newest: a commit of the same round was stored on it, or a look at the end
 * of the stream confirms it. Nothing else happens to the instance during a round, so after a conflict there is nothing
 * to undo: the round is dropped.
 */
import { ConflictError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'
import type { Environment } from '../runtime/environment.ts'
import type { CommitQueue } from '../store/commit-queue.ts'
import type { AppendResult } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import {
  type Answering,
  answerAccepted,
  answerDecided,
  answerIfNew,
  answerStored,
  failUnconfirmed,
  failUnknown,
  type StoredCommand,
  stateAfter,
  withRepetitions,
} from './answers.ts'
import { appendAgain } from './append-again.ts'
import { isCertain } from './certainty.ts'
import { isHeldUp, passFences } from './fence.ts'
import { isOwned, loadAndAsk } from './handed-state.ts'
import type { KernelLimits } from './limits.ts'
import { LoadFailures } from './load-failures.ts'
import type { Looks } from './looks.ts'
import { named } from './named.ts'
import { type Ownership, sendOn } from './ownership.ts'
import { Use } from './passivation.ts'
import type { PendingCommand } from './pending-command.ts'
import { catchUp, type LoadedState, notLoaded, StreamReplaced } from './rehydrate.ts'
import { pauseAfter, tryUpTo } from './retry.ts'
import { Round } from './round.ts'
import { lossesBeforeTurn, type Turns } from './turns.ts'

/** The parts that all actors of a kernel share. */
export interface ActorContext extends Answering {
  readonly queue: CommitQueue
  readonly environment: Environment
  readonly limits: KernelLimits
  /** Absent if no other process can write. Answers then need no look. */
  readonly looks: Looks | undefined
  readonly turns: Turns
  /** Absent if this process decides the commands of all streams. */
  readonly ownership: Ownership | undefined
  /** The name under which this kernel appends and reserves streams. */
  readonly writer: string
  /** Aborted when the kernel has stopped. */
  readonly over: AbortSignal
  /** Makes a unique id, for decisions. */
  readonly newId: () => string
  /** Calls `turn` of the actor soon. */
  readonly schedule: (actor: Actor) => void
  /** Called after a round that stored events, with the sequence before the round. */
  readonly advanced: (actor: Actor, from: number) => void
}

/**
 * `cold`: nothing is loaded. `busy`: it is loading, or a round is in progress. `ready`: it waits for commands.
 * `failed`: it could not be loaded, and the next command after a pause loads it again.
 */
type Phase = 'cold' | 'busy' | 'ready' | 'failed'

export class Actor {
  readonly type: AggregateType
  readonly stream: StreamId
  readonly use: Use = new Use()
  readonly #context: ActorContext
  #loaded: LoadedState = notLoaded
  #phase: Phase = 'cold'
  /** Whether the kernel is going to call `turn`. */
  #isQueued = false
  #mailbox: PendingCommand[] = []
  #underWay: Round | undefined = undefined
  /** Whether it has ever had a command with a fence. Few aggregates have, so the others skip the check. */
  #hasFences = false
  /** Whether the stream is reserved for this process. */
  #hasTurn = false
  /** Whether another process owns the stream now, so that the state, and failures to load it, must be forgotten. */
  #isDisowned = false
  /** Absent before the first failure, which few instances have. */
  #failures: LoadFailures | undefined = undefined

  constructor(context: ActorContext, type: AggregateType, stream: StreamId) {
    this.#context = context
    this.type = type
    this.stream = stream
  }

  /** The durable state, if it is loaded. */
  get loaded(): LoadedState | undefined {
    return this.#phase === 'cold' || this.#phase === 'failed' || this.#loaded === notLoaded ? undefined : this.#loaded
  }

  /** Whether it can be passivated: no command waits, and nothing is in progress. */
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

  /** Takes a newer state that a reader has loaded, if nothing is in progress. Drops the state of a replaced log. */
  learn(loaded: LoadedState | 'replaced'): void {
    if (this.#phase !== 'ready') return
    if (loaded === 'replaced') this.#forget()
    // With owners, nobody has asked since it was loaded whether this process still owns the stream (`ownership.ts`).
    else if (this.#context.ownership === undefined && loaded.sequence > this.#loaded.sequence) this.#loaded = loaded
  }

  /** Takes a state that another process had. It is compared with the store before anything is decided on it. */
  receive(known: LoadedState): void {
    if (this.#phase === 'cold' && known.sequence > this.#loaded.sequence) this.#loaded = known
  }

  /** Another process owns the stream now. What is in progress ends first. */
  disown(): void {
    this.#isDisowned = true
  }

  /** Notes that `turn` is going to be called. @returns false if that was noted before */
  joinQueue(): boolean {
    if (this.#isQueued) return false
    this.#isQueued = true
    return true
  }

  /** Loads the state, or decides all waiting commands. Never throws. */
  turn(nowMs: number): void {
    this.#isQueued = false
    if (this.#mailbox.length === 0 || this.#phase === 'busy') return
    if (this.#isDisowned && this.#phase === 'ready') this.#phase = 'cold'
    if (this.#isDisowned) this.#failures?.clear()
    const isElsewhere = this.#isDisowned && this.#context.ownership?.owns(this.stream) === false
    if (isElsewhere) this.#moveAway()
    else if (this.#phase !== 'ready' && this.#failures?.isPausing(nowMs)) this.#refuseAll(nowMs)
    else if (this.#phase !== 'ready') this.#guard(this.#load())
    else if (this.#hasFences && this.#mailbox.some(isHeldUp)) this.#guard(this.#passFences())
    else this.#decide(nowMs)
  }

  /** Fails every command that is not answered. For a stop that takes too long. */
  abandon(errorOf: (stream: StreamId, pending: PendingCommand) => unknown): void {
    const underWay = this.#underWay?.commands ?? []
    for (const pending of [...underWay, ...this.#mailbox]) pending.fail(errorOf(this.stream, pending))
  }

  // -- loading ---------------------------------------------------------------------------------------

  async #load(): Promise<void> {
    const known = this.#phase === 'cold' ? this.#loaded : notLoaded
    this.#phase = 'busy'
    this.#isDisowned = false
    const { environment, warn } = this.#context
    let isOurs = true
    try {
      const { loaded, owned } = await loadAndAsk(this.#context, this.type, this.stream, known)
      this.#loaded = loaded
      isOurs = owned
      this.#failures?.clear()
    } catch (cause) {
      this.#failures ??= new LoadFailures()
      this.#failures.note(cause, environment)
      this.#phase = 'failed'
      const message = `The aggregate ${named(this.stream)} could not be loaded`
      warn({ code: 'AGGREGATE_NOT_LOADED', message, cause, stream: this.stream })
      return this.#refuseAll(environment.now())
    }
    if (isOurs) this.#becomeReady()
    else this.#moveAway()
  }

  /** Another process owns the stream: drops the state, and sends waiting commands there. */
  #moveAway(): void {
    this.#isDisowned = false
    for (const pending of this.#mailbox.splice(0)) sendOn(this.#context.ownership!, this.stream, pending)
    this.#forget()
  }

  #refuseAll(nowMs: number): void {
    for (const pending of this.#mailbox.splice(0)) pending.fail(this.#failures!.error(this.stream, nowMs))
  }

  #becomeReady(): void {
    this.#phase = 'ready'
    this.#underWay = undefined
    if (this.#mailbox.length > 0) this.#context.schedule(this)
    else this.#giveTurnBack()
  }

  #forget(): void {
    this.#loaded = notLoaded
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
    const { environment, events, limits, looks, newId } = this.#context
    const waiting = this.#mailbox
    this.#mailbox = waiting.length > limits.batchCommitsMax ? waiting.splice(limits.batchCommitsMax) : []
    const epoch = this.#context.ownership?.epoch
    const scope = { type: this.type, stream: this.stream, limits: events.limits, nowMs, newId, epoch }
    const round = new Round(waiting, this.#loaded, scope, environment, this.#context.observing)
    this.#putBack(waiting)
    this.#phase = 'busy'
    this.#underWay = round
    if (round.commits.length > 0) this.#append(round)
    else if (looks?.isNeededFor(round)) this.#guard(this.#confirm(round, looks))
    else {
      for (const pending of round.commands) this.#answerUnstored(pending)
      this.#becomeReady()
    }
  }

  /** For a round without events: answers if the stream ends where the state does, and otherwise decides again. */
  async #confirm(round: Round, looks: Looks): Promise<void> {
    const look = tryUpTo(this.#context, () => looks.end(this.stream))
    const end = await look.catch((error: unknown) => ({ error }))
    if ('error' in end) {
      for (const pending of round.commands) failUnconfirmed(this.stream, pending, end.error)
      return this.#becomeReady()
    }
    const { sequence, checksum } = this.#loaded
    if (end.sequence === sequence && end.checksum === checksum) {
      for (const pending of round.commands) this.#answerUnstored(pending)
      this.#giveTurnBack()
      return this.#becomeReady()
    }
    const again = round.commands.filter((pending) => this.#countConflict(pending, end.sequence))
    this.#putBack(again)
    await this.#refresh(again[0]?.conflicts ?? 0, false)
  }

  #append(round: Round): void {
    const onWritten = (results: readonly AppendResult[]) => this.#answer(round, results)
    const onFailed = (error: unknown) => this.#guard(this.#repeat(round, error))
    this.#context.queue.add(round.commits, this.#context.writer, onWritten, onFailed)
  }

  /** Answers a round that was sent. Never throws. */
  #answer(round: Round, results: readonly AppendResult[]): void {
    try {
      if (!round.isStored(results)) return void this.#guard(this.#settle(round, results))
      const from = this.#loaded.sequence
      this.#loaded = stateAfter(round.commands.at(-1)!, results.at(-1)!)
      this.#hasTurn = false
      for (let i = 0; i < results.length; i++) answerAccepted(round.commands[i]!, results[i]!)
      this.#context.advanced(this, from)
      this.#becomeReady()
    } catch (cause) {
      this.#reset(cause)
    }
  }

  /** Answers a round. From the first commit that was not stored on, commands are decided again. */
  async #settle(round: Round, results: readonly AppendResult[]): Promise<void> {
    const from = this.#loaded.sequence
    const { answered, duplicates, conflicts, undone } = round.settle(results)
    for (const { pending, receipt } of answered) {
      if (receipt === undefined) {
        this.#answerUnstored(pending)
        continue
      }
      this.#loaded = stateAfter(pending, receipt)
      this.#hasTurn = false
      answerAccepted(pending, receipt)
    }
    if (undone.length + conflicts.length > 0) {
      const again = new Set(undone)
      for (const { pending, ...at } of conflicts)
        if (this.#countConflict(pending, at.sequence, at.reserved)) again.add(pending)
      this.#putBack(round.commands.filter((pending) => again.has(pending)))
    }
    if (this.#loaded.sequence > from) this.#context.advanced(this, from)
    const stored = withRepetitions(duplicates, this.#mailbox)
    if (stored.length > 0) void answerStored(this.#context, this, stored, this.#loaded)
    if (duplicates.length + conflicts.length === 0) return this.#becomeReady()
    await this.#refresh(conflicts[0]?.pending.conflicts ?? 0, conflicts[0]?.reserved ?? false)
  }

  /** Puts commands that have to be decided again before those that came later. */
  #putBack(again: readonly PendingCommand[]): void {
    if (again.length === 0) return
    for (const pending of again) pending.beginAgain()
    this.#mailbox = [...again, ...this.#mailbox]
  }

  #countConflict(pending: PendingCommand, sequence: number, reserved = false): boolean {
    pending.span?.note({ kind: 'conflict', stream: this.stream, sequence, reserved })
    if (reserved) return true
    const tries = pending.countConflict()
    if (tries < this.#context.limits.conflictTriesMax) return true
    pending.fail(new ConflictError('CONFLICT', { stream: this.stream, tries, sequence }))
    return false
  }

  /**
   * Other writers wrote to the stream: loads the missed events. After several losses, or if the stream was reserved for
   * another process, it waits for a turn first.
   */
  async #refresh(conflicts: number, reserved: boolean): Promise<void> {
    const { turns, environment, over } = this.#context
    const isWanted = () => this.#mailbox.some(({ isAnswered }) => !isAnswered)
    try {
      if (reserved || conflicts >= lossesBeforeTurn) this.#hasTurn = await turns.take(this.stream, isWanted, conflicts)
    } catch {
      // The store is unavailable. The load below meets that too: it tries again, and reports it.
      await pauseAfter(environment, conflicts, over)
    }
    try {
      this.#loaded = await catchUp(this.#context, this.type, this.stream, this.#loaded)
      if (await isOwned(this.#context, this.stream)) this.#becomeReady()
      else this.#moveAway()
    } catch (error) {
      if (error instanceof StreamReplaced) this.#loaded = notLoaded
      await this.#load()
    }
  }

  // -- when the store gives no answer ------------------------------------------------------------------

  /** An append failed. If it is certain that nothing was stored, the callers get the error. */
  async #repeat(round: Round, first: unknown): Promise<void> {
    const again = await appendAgain(this.#context, round, first, this.stream)
    this.#hasTurn ||= again.hasTurn
    if ('results' in again) return this.#settle(round, again.results)
    const { error } = again
    if (isCertain(error)) return this.#giveUp(round, error)
    await this.#lookUp(round, error)
  }

  /** Nothing was stored: commands with events get the error, and the others are decided again. */
  #giveUp(round: Round, error: unknown): void {
    for (const pending of round.commands) if (pending.decided!.kind === 'events') pending.fail(error)
    this.#putBack(round.commands.filter(({ isAnswered }) => !isAnswered))
    this.#becomeReady()
  }

  /** Looks for each commit of a round by its id. A missing one may still arrive, so its outcome is unknown. */
  async #lookUp(round: Round, cause: unknown): Promise<void> {
    const found: StoredCommand[] = []
    for (const pending of round.commands) {
      if (pending.decided!.kind !== 'events') continue
      const receipt = await this.#context.events.findCommit(this.stream, pending.commandId).catch(() => undefined)
      if (receipt === undefined) failUnknown(this.stream, [pending], cause)
      else found.push({ pending, receipt })
    }
    if (found.length > 0) void answerStored(this.#context, this, found, this.#loaded)
    this.#putBack(round.commands.filter(({ decided, isAnswered }) => decided!.kind !== 'events' && !isAnswered))
    this.#forget()
  }

  // -- answers -----------------------------------------------------------------------------------------

  /** Answers a command without events. If its caller chose the id, that id may already be stored. */
  #answerUnstored(pending: PendingCommand): void {
    if (pending.repeatable) void answerIfNew(this.#context, this, pending, this.#loaded)
    else answerDecided(pending, this.#loaded)
  }

  /** After an unexpected error, every caller still gets an answer, and the instance is loaded again. */
  #guard(work: Promise<void>): void {
    work.catch((cause: unknown) => this.#reset(cause))
  }

  #reset(cause: unknown): void {
    const message = `The aggregate ${named(this.stream)} failed unexpectedly and is loaded again`
    this.#context.warn({ code: 'AGGREGATE_RESET', message, cause, stream: this.stream })
    failUnknown(this.stream, this.#underWay?.commands ?? this.#mailbox.splice(0), cause)
    this.#forget()
  }
}
