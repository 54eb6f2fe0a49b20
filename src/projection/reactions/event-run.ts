/** One event that a reaction handles, with all its tries, and the rows that it leaves, until they are saved. */
import { discreet } from '../../domain/discreet.ts'
import { encode } from '../../domain/encoding.ts'
import { sealedWithin } from '../../domain/personal-fields.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import { Rejection } from '../../domain/rejection.ts'
import { SealedValue } from '../../domain/sealed-value.ts'
import type { Row, StoredEvent } from '../../store/store.ts'
import { isForLater, isNewer, isOutage, Overtaken } from '../failures/blame.ts'
import { calledEvent, stoppedBefore, warnOfGivenUp } from '../failures/giving-up.ts'
import { parkedRow, reasonOf } from '../stored/parked-events.ts'
import { decodeRow } from '../stored/row-value.ts'
import { checkedStateKey, keyOf, keysOfEvent, upcastFor } from './event-keys.ts'
import type { Keys } from './lanes.ts'
import { type HandlerContext, ReactionCall, type ReactionStepsOptions } from './reaction-call.ts'
import type { ReactionRows } from './reaction-rows.ts'
import type { ReactionStates } from './reaction-states.ts'

/** The parts that all runs of a reaction share. */
export interface RunContext extends Pick<HandlerContext, 'fence'> {
  /** As in `HandlerContext`. @param isCut asked just before saving; if true, the row is not stored */
  readonly keep: (row: Row, isCut: () => boolean) => Promise<boolean>
  readonly options: ReactionStepsOptions
  readonly rows: ReactionRows
  readonly states: ReactionStates
}

/**
 * How a run ended. `later`: the event is handled another time, or by another process. `overtaken`: this runner was
 * overtaken. `thrown`: the reaction has to stop before the event, or the store fails.
 */
export type RunEnd = 'done' | 'later' | 'overtaken' | { readonly thrown: unknown }

export class EventRun {
  readonly stored: StoredEvent
  /** Events with a common key are handled one after the other. Later ones queue behind a parked one. */
  readonly keys: Keys
  /**
   * The key of the row with the event's state. Absent if the event cannot be read; it then fails when it is handled.
   */
  readonly stateKey: string | undefined
  readonly #context: RunContext
  readonly #ending = new AbortController()
  #isCut = false
  /** The handler's run that is in progress. */
  #call: ReactionCall | undefined
  #rows: readonly Row[] = []
  #isParked = false

  constructor(context: RunContext, stored: StoredEvent) {
    this.#context = context
    this.stored = stored
    const { stateKey, keys } = keysOfEvent(context.options, stored)
    this.stateKey = stateKey
    this.keys = keys
  }

  /** The rows to save together with the checkpoint. */
  get rows(): readonly Row[] {
    return this.#rows
  }

  get isParked(): boolean {
    return this.#isParked
  }

  /** The names of the steps that its handler is doing now. */
  get stepsUnderWay(): readonly string[] {
    return this.#call?.stepsUnderWay() ?? []
  }

  /** Ends it. Nothing that it does from now on has an effect. */
  cut(): void {
    this.#isCut = true
    this.#ending.abort()
  }

  /** Parks the event. */
  park(reason: string): void {
    this.#isParked = true
    this.#rows = [parkedRow(this.stored, this.keys.holds, reason, this.#context.options.environment.now())]
  }

  /** Handles the event, with all its tries, and then as the policy says. Never throws. */
  handle(signal: AbortSignal): Promise<RunEnd> {
    return this.#until(signal, async () => {
      const { reaction, lead } = this.#context.options
      const { policy } = reaction
      for (;;) {
        if (this.#ending.signal.aborted || !(await lead.keepLead())) return 'later'
        const end = await this.#try(this.#storedState())
        if (typeof end === 'string' || isOutage(end.thrown) || isNewer(end.thrown)) return end
        const mayTry = await lead.tries.again(this.stored, end.thrown, policy, this.#ending.signal)
        if (!mayTry) return this.#giveUp(end.thrown)
      }
    })
  }

  /** Handles a parked event once. If it fails, it stays parked. @throws what the store throws */
  async attempt(signal: AbortSignal): Promise<'done' | 'failed' | 'overtaken'> {
    const state = this.#storedState()
    const end = await this.#until(signal, () => this.#try(state))
    if (end === 'later') return 'failed'
    if (typeof end === 'string') return end
    if (isOutage(end.thrown) || isNewer(end.thrown)) throw end.thrown
    warnOfGivenUp(this.#context.options, 'park', calledEvent(this.stored), end.thrown)
    return 'failed'
  }

  async #until(signal: AbortSignal, work: () => Promise<RunEnd>): Promise<RunEnd> {
    if (signal.aborted) return 'later'
    const end = () => this.#ending.abort(signal.reason)
    signal.addEventListener('abort', end, { once: true })
    try {
      return await work()
    } catch (thrown) {
      return { thrown }
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  /** The state as it is stored. @throws StoreError `STORE_CORRUPT`, which is not the fault of the event */
  #storedState(): unknown {
    const { options, states } = this.#context
    const { name: storage, store } = options
    const value = this.stateKey === undefined ? undefined : states.get(this.stateKey)
    return value === undefined ? undefined : decodeRow({ store, storage }, this.stateKey!, value)
  }

  async #try(storedState: unknown): Promise<RunEnd> {
    const { observing, reaction } = this.#context.options
    if (observing === undefined) return this.#tryOnce(storedState, undefined)
    const { type, stream, position, commitId, metadata } = this.stored
    const fields = { reaction: reaction.name, type, stream, position, commitId, metadata }
    const span = observing.start('reaction', fields)
    const end = await this.#tryOnce(storedState, span.id)
    if (typeof end === 'string') span.end({ outcome: end === 'done' ? 'handled' : 'later' })
    else span.end({ outcome: 'failed', error: end.thrown })
    return end
  }

  /** @param parent for an observer */
  async #tryOnce(storedState: unknown, parent: number | undefined): Promise<RunEnd> {
    try {
      this.#rows = await this.#handleOnce(storedState, parent)
      return 'done'
    } catch (cause) {
      if (cause instanceof Overtaken && !this.#isCut) return 'overtaken'
      if (this.#ending.signal.aborted || isForLater(cause)) return 'later'
      return { thrown: discreet(cause, this.#data) }
    } finally {
      this.#call = undefined
    }
  }

  async #handleOnce(storedState: unknown, parent: number | undefined): Promise<readonly Row[]> {
    const { options, rows, states } = this.#context
    const { reaction, kinds, dispatch, check, personal, stateAt, carry, environment, lead, observing } = options
    const { policy } = reaction
    const event = upcastFor(this.#context.options, this.stored)
    const key = reaction.memory === undefined ? undefined : checkedStateKey(keyOf(reaction.memory, event))
    const isStored = key !== undefined && states.get(key) !== undefined
    const state = isStored ? storedState : reaction.memory?.initial()
    const onRefused = (command: PlainCommand, why: unknown) => warnOfRefused(options, command, why)
    const means = {
      dispatch,
      check,
      personal,
      stateAt,
      carry,
      environment,
      policy,
      onRefused,
      state,
      ...this.#guarded,
      signal: this.#ending.signal,
      parent,
    }
    const call = new ReactionCall(reaction.name, event, rows, means)
    this.#call = call
    const run = () => call.run(kinds.of(this.stored)!.handle)
    await lead.during(() => (parent === undefined ? run() : observing!.surround(parent, run)))
    const left: Row[] = []
    const { changedState } = call
    if (changedState !== undefined && key !== undefined) {
      const { state: after } = changedState
      const unsealed = sealedWithin(after).filter(SealedValue.isUnsealed)
      if (unsealed.length > 0) await personal?.seal(unsealed)
      const value = after === undefined ? undefined : encode(`The state of the reaction ${reaction.name}`, after)
      states.set(key, value)
      left.push({ key, value })
    }
    return [...left, ...call.timers, ...rows.handled(this.stored.position)]
  }

  /** `keep` and `fence`, which have no effect after the run is cut. */
  get #guarded(): Pick<HandlerContext, 'keep' | 'fence'> {
    const { keep, fence } = this.#context
    const check = () => {
      if (this.#isCut) throw new Overtaken()
    }
    return {
      keep: (row) => keep(row, () => this.#isCut),
      fence: async () => {
        check()
        await fence()
        check()
        return undefined
      },
    }
  }

  #giveUp(cause: unknown): RunEnd {
    const { options, rows } = this.#context
    const { giveUp } = options.reaction.policy
    if (giveUp === 'stop') return { thrown: stoppedBefore(options.name, this.stored, cause) }
    warnOfGivenUp(options, giveUp, calledEvent(this.stored), cause)
    if (giveUp === 'park') this.park(reasonOf(cause))
    else this.#rows = rows.handled(this.stored.position)
    return 'done'
  }

  /** The data of the event, if it can be read. */
  get #data(): unknown {
    try {
      return upcastFor(this.#context.options, this.stored).data
    } catch {
      return undefined
    }
  }
}

/** Warns of a command that was not accepted and whose answer no handler awaits. */
export function warnOfRefused(
  { reaction, warn }: ReactionStepsOptions,
  { name, aggregate, id }: PlainCommand,
  why: unknown,
): void {
  const reason = why instanceof Rejection ? `: ${why.code}` : ''
  const message = `The command ${name} of the reaction ${reaction.name} on ${aggregate} ${JSON.stringify(id)} was refused${reason}`
  warn({ code: 'REACTION_COMMAND_REFUSED', message, ...(why instanceof Error && { cause: why }) })
}
