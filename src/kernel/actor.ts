/**
 * One aggregate instance at work. It takes all waiting commands at once, decides each on the state that the one before
 * left, sends the commits as one, and answers only when they are durable: also the commands that decided nothing, if
 * they were decided on events that were not durable yet. Between a round's decision and its answers nothing else
 * happens to the instance, so a conflict undoes the round by forgetting it.
 */
import { ConflictError, InputError, LoadError, MnemeError, OutcomeUnknownError, StoreError } from '../domain/error.ts'
import { JsonCopier } from '../domain/json.ts'
import type { StreamId } from '../domain/stream.ts'
import { type Commit, repeated } from '../store/commit.ts'
import type { CommitQueue } from '../store/commit-queue.ts'
import type { AppendResult, Receipt } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import { type Answering, answerDecided, answerIfNew, answerStored } from './answers.ts'
import { type Decided, decide, type RoundMoment } from './decide.ts'
import { backOffMs, type Environment, sleep } from './environment.ts'
import type { KernelLimits } from './limits.ts'
import type { PendingCommand } from './pending-command.ts'
import { catchUp, rehydrate, type Standing } from './rehydrate.ts'

/** What all actors of a kernel share. */
export interface ActorContext extends Answering {
  readonly queue: CommitQueue
  readonly environment: Environment
  readonly limits: KernelLimits
  /** Asks for a turn of the actor, soon. */
  readonly schedule: (actor: Actor) => void
  /** Told after a round: the instance moved on from a sequence to the standing that it has now. */
  readonly advanced: (actor: Actor, from: number) => void
}

/**
 * Where an actor is in its life. `cold`: nothing loaded. `busy`: loading, or a round is with the store. `ready`: waits for
 * commands. `failed`: could not be loaded; the next command after a pause tries again.
 */
type Phase = 'cold' | 'busy' | 'ready' | 'failed'

/** What is decided at once: the commands in order, each with its `decided`, and the commits of those that have one. */
interface Round {
  readonly commands: readonly PendingCommand[]
  readonly commits: readonly Commit[]
}

const nothingKnown: Standing = Object.freeze({ state: undefined, sequence: 0, position: 0, checksum: 0 })

const failureFirstMs = 100
const failureMaxMs = 30_000
const retryFirstMs = 5
const retryMaxMs = 1_000

export class Actor {
  readonly type: AggregateType
  readonly stream: StreamId
  /** When it last had something to do, in milliseconds since 1970. */
  usedAt = 0
  /** Neighbours in the passivation order. */
  older: Actor | undefined = undefined
  newer: Actor | undefined = undefined
  /** Whether it waits for a turn already. */
  scheduled = false
  readonly #context: ActorContext
  #standing: Standing = nothingKnown
  #phase: Phase = 'cold'
  #mailbox: PendingCommand[] = []
  #underWay: Round | undefined = undefined
  #failures = 0
  #failure: { readonly cause: unknown; readonly retryAt: number } | undefined = undefined

  constructor(context: ActorContext, type: AggregateType, stream: StreamId) {
    this.#context = context
    this.type = type
    this.stream = stream
  }

  /** The durable state, if it is loaded. An instance that is busy with its first load has none yet. */
  get standing(): Standing | undefined {
    const isLoaded = this.#phase !== 'cold' && this.#phase !== 'failed' && this.#standing !== nothingKnown
    return isLoaded ? this.#standing : undefined
  }

  /** Whether it can be passivated: nothing waits and nothing is under way. */
  get idle(): boolean {
    return this.#mailbox.length === 0 && this.#phase !== 'busy'
  }

  get waiting(): number {
    return this.#mailbox.length
  }

  post(pending: PendingCommand): void {
    this.#mailbox.push(pending)
  }

  /** Does what can be done now: load, or decide all that waits. */
  turn(nowMs: number): void {
    if (this.#mailbox.length === 0 || this.#phase === 'busy') return
    if (this.#phase === 'ready') this.#round(nowMs)
    else if (this.#failure !== undefined && isAhead(this.#failure.retryAt, nowMs)) this.#refuseAll(nowMs)
    else void this.#load()
  }

  /** Ends the wait of every caller, with an error that says what is known; for when stopping takes too long. */
  abandon(errorOf: (stream: StreamId, pending: PendingCommand) => unknown): void {
    const underWay = this.#underWay?.commands ?? []
    for (const pending of [...underWay, ...this.#mailbox]) pending.fail(errorOf(this.stream, pending))
  }

  // -- loading ---------------------------------------------------------------------------------------

  async #load(useSnapshots = true): Promise<void> {
    this.#phase = 'busy'
    const { environment, limits, warn } = this.#context
    for (let tries = 1; ; tries++) {
      try {
        this.#standing = await rehydrate(this.#context, this.type, this.stream, {}, useSnapshots)
        this.#failures = 0
        this.#failure = undefined
        return this.#becomeReady()
      } catch (cause) {
        const again = cause instanceof MnemeError && cause.retryable && tries < limits.loadTriesMax
        if (again) {
          await sleep(environment, backOffMs(environment, tries, retryFirstMs, retryMaxMs))
          continue
        }
        const delayMs = backOffMs(environment, this.#failures++, failureFirstMs, failureMaxMs)
        this.#failure = { cause, retryAt: environment.now() + delayMs }
        this.#phase = 'failed'
        const { aggregate, id } = this.stream
        warn({ code: 'AGGREGATE_NOT_LOADED', message: `${aggregate} ${JSON.stringify(id)} could not be loaded`, cause })
        return this.#refuseAll(environment.now())
      }
    }
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
  }

  // -- a round: decide, write, answer ------------------------------------------------------------------

  #round(nowMs: number): void {
    const round = this.#decideAll(nowMs)
    if (round.commits.length === 0) {
      for (const pending of round.commands) this.#answerUnstored(pending)
      if (this.#mailbox.length > 0) this.#context.schedule(this)
      return
    }
    this.#phase = 'busy'
    this.#underWay = round
    this.#context.queue.append(round.commits).then(
      (results) => this.#settle(round, results),
      (error) => this.#retry(round, error),
    )
  }

  /**
   * Decides what waits, each on what the one before left. The round ends before a second command with an id of its own: that
   * one needs the first one's answer, and whatever came after it must not overtake it.
   */
  #decideAll(nowMs: number): Round {
    const { environment, events, limits } = this.#context
    const waiting = this.#mailbox
    this.#mailbox = waiting.length > limits.batchCommitsMax ? waiting.splice(limits.batchCommitsMax) : []
    const moment = momentOf(environment, nowMs)
    const commands: PendingCommand[] = []
    const commits: Commit[] = []
    let ids: Set<string> | undefined
    let { state, sequence } = this.#standing
    for (const [i, pending] of waiting.entries()) {
      if (pending.answered) continue
      if (pending.repeatable) {
        ids ??= new Set()
        if (ids.has(pending.commandId)) {
          this.#putBack(waiting.slice(i))
          break
        }
        ids.add(pending.commandId)
      }
      let decided: Decided
      try {
        decided = decide(this.type, this.stream, state, sequence, pending, moment, events.limits)
      } catch (error) {
        decided = { kind: 'failed', error }
      }
      if (decided.kind === 'events') {
        commits.push(decided.commit)
        state = decided.state
        sequence += decided.events.length
      }
      pending.sent = commits.length > 0
      pending.decided = decided
      commands.push(pending)
    }
    return { commands, commits }
  }

  /** The store has answered: each command gets what became of it; from the first that was not stored on, all go again. */
  #settle(round: Round, results: readonly AppendResult[]): void {
    const from = this.#standing.sequence
    const again: PendingCommand[] = []
    let broken = false
    let actual: number | undefined
    let next = 0
    for (const pending of round.commands) {
      const decided = pending.decided!
      if (decided.kind !== 'events') {
        if (broken) again.push(pending)
        else this.#answerUnstored(pending)
        continue
      }
      const result = results[next++]!
      if (result.status === 'conflict') {
        broken = true
        actual = result.sequence
        if (this.#countConflict(pending, actual)) again.push(pending)
      } else if (result.status === 'duplicate' && pending.repeatable) {
        broken = true
        if (result.sequence > this.#standing.sequence) actual = result.sequence
        void answerStored(this.#context, this, pending, result)
      } else {
        this.#accept(pending, decided, result)
      }
    }
    this.#putBack(again)
    if (this.#standing.sequence > from) this.#context.advanced(this, from)
    if (actual === undefined || actual === this.#standing.sequence) this.#becomeReady()
    else void this.#refresh(actual, again[0]?.conflicts ?? 0)
  }

  /** Commands that were decided on what was not stored wait again, before those that came later. */
  #putBack(again: readonly PendingCommand[]): void {
    if (again.length === 0) return
    for (const pending of again) pending.sent = false
    this.#mailbox = [...again, ...this.#mailbox]
  }

  #accept(pending: PendingCommand, { events, state }: Decided & { readonly kind: 'events' }, stored: Receipt): void {
    const first = stored.position - stored.count + 1
    this.#standing = { state, sequence: stored.sequence, position: stored.position, checksum: stored.checksum }
    for (let i = 0; i < events.length; i++) events[i]!.position = first + i
    const { sequence, position } = stored
    pending.succeed({ accepted: true, state, sequence, position, events })
  }

  #countConflict(pending: PendingCommand, sequence: number): boolean {
    pending.conflicts++
    if (pending.conflicts < this.#context.limits.conflictTriesMax) return true
    pending.fail(new ConflictError('CONFLICT', { stream: this.stream, tries: pending.conflicts, sequence }))
    return false
  }

  /** Others wrote the stream: load what was missed, after a pause by chance if it goes on. */
  async #refresh(actual: number, conflicts: number): Promise<void> {
    const { environment } = this.#context
    if (conflicts > 1) await sleep(environment, backOffMs(environment, conflicts, retryFirstMs, retryMaxMs))
    // A store that knows less than was read from it has been replaced: whatever is in memory is worth nothing.
    if (actual < this.#standing.sequence) {
      this.#standing = nothingKnown
      return this.#load(false)
    }
    try {
      this.#standing = await catchUp(this.#context, this.type, this.stream, this.#standing)
      this.#becomeReady()
    } catch {
      await this.#load()
    }
  }

  // -- when the store gives no answer ------------------------------------------------------------------

  /**
   * An append failed. If nothing was stored for certain, its callers are told; else it is appended again, which the
   * commit ids make harmless, until the store says what is true.
   */
  async #retry(round: Round, first: unknown): Promise<void> {
    const { environment, limits, queue, warn } = this.#context
    let error = first
    for (let tries = 1; !isCertain(error) && tries < limits.appendTriesMax; tries++) {
      const { aggregate, id } = this.stream
      warn({
        code: 'APPEND_REPEATED',
        message: `An append to ${aggregate} ${JSON.stringify(id)} is repeated`,
        cause: error,
      })
      await sleep(environment, backOffMs(environment, tries, retryFirstMs, retryMaxMs))
      try {
        return this.#settle(round, await queue.append(round.commits.map(repeated)))
      } catch (next) {
        // What an earlier try left open, a later refusal does not close.
        if (!isCertain(next)) error = next
      }
    }
    if (isCertain(error)) return this.#giveUp(round, error)
    await this.#lookUp(round, error)
  }

  /** Nothing was stored: the callers of commits get the error; who was decided on their events is decided again. */
  #giveUp(round: Round, error: unknown): void {
    const again: PendingCommand[] = []
    let undone = false
    for (const pending of round.commands) {
      if (pending.decided!.kind === 'events') {
        undone = true
        pending.fail(error)
      } else if (undone) again.push(pending)
      else this.#answerUnstored(pending)
    }
    this.#putBack(again)
    this.#becomeReady()
  }

  /** Looks for every commit of a round by its id. One that is not there may still arrive, so its caller is told just that. */
  async #lookUp(round: Round, cause: unknown): Promise<void> {
    const { stream } = this
    const again: PendingCommand[] = []
    let undone = false
    for (const pending of round.commands) {
      if (pending.decided!.kind !== 'events') {
        if (undone) again.push(pending)
        else this.#answerUnstored(pending)
        continue
      }
      undone = true
      const { commandId } = pending
      const receipt = await this.#context.events.findCommit(stream, commandId).catch(() => undefined)
      if (receipt !== undefined) await answerStored(this.#context, this, pending, receipt)
      else pending.fail(new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId }, cause))
    }
    this.#putBack(again)
    this.#underWay = undefined
    this.#phase = 'cold'
    if (this.#mailbox.length > 0) this.#context.schedule(this)
  }

  // -- answers -----------------------------------------------------------------------------------------

  /** Answers a command that has nothing to store; with an id of the caller's, only if that id is not stored yet. */
  #answerUnstored(pending: PendingCommand): void {
    if (pending.repeatable) void answerIfNew(this.#context, this, pending, this.#standing)
    else answerDecided(pending, this.#standing)
  }
}

/** Whether the end of a pause is still to come; one that is too far off shows that the clock was set back. */
function isAhead(retryAt: number, nowMs: number): boolean {
  return nowMs < retryAt && retryAt - nowMs <= failureMaxMs
}

/** Whether an error proves that nothing was stored. */
function isCertain(error: unknown): boolean {
  if (error instanceof InputError) return true
  if (error instanceof StoreError) return error.code !== 'STORE_UNAVAILABLE'
  return error instanceof MnemeError && error.code === 'OVERLOADED'
}

function momentOf(environment: Environment, nowMs: number): RoundMoment {
  return {
    nowMs,
    recordedAt: new Date(nowMs),
    copier: new JsonCopier(),
    get now() {
      return new Date(nowMs)
    },
    newId: () => environment.newId(),
  }
}
