/**
 * One run of a reaction's handler on one event: what it sends, schedules and remembers. Each command's id follows from the reaction, the
 * event's position, the command's name and how often that was sent to the same aggregate before, so a run after a crash
 * sends the same ids, and gets the same answers.
 */
import { CancelledError, DefinitionError, MnemeError, OutcomeUnknownError, StoreError } from '../domain/error.ts'
import type { RecordedEvent } from '../domain/event.ts'
import type { HandledKinds } from '../domain/handled-kinds.ts'
import { toJson } from '../domain/json.ts'
import { checkKeys } from '../domain/options.ts'
import type { Outcome } from '../domain/outcome.ts'
import { checkPlainCommand, type PlainCommand } from '../domain/plain-command.ts'
import type { AnyReaction, Due, Handling, ReactionTools } from '../domain/reaction.ts'
import { Rejection } from '../domain/rejection.ts'
import type { Environment } from '../kernel/environment.ts'
import type { Warn } from '../kernel/warning.ts'
import type { EventStore, ProjectionStore, Row } from '../store/store.ts'
import { type ReactionRows, rejectionKey, rejectionRow, timerKey } from './reaction-rows.ts'
import type { Lead } from './stepper.ts'

/** Sends a command; a rejection is an outcome too. */
export type Dispatch = (command: PlainCommand) => Promise<Outcome>

export interface ReactionOptions {
  readonly reaction: AnyReaction
  readonly kinds: HandledKinds<Handling>
  /** The name under which checkpoint and rows are stored. */
  readonly name: string
  readonly store: EventStore & ProjectionStore
  readonly environment: Environment
  readonly warn: Warn
  readonly dispatch: Dispatch
  readonly keepLead: Lead['keepLead']
}

/** What a run needs of the steps. */
interface Means {
  readonly dispatch: Dispatch
  /** Stores a row at once; false if another runner was faster. */
  readonly keep: (row: Row) => Promise<boolean>
  /** What the reaction remembers under the event's key. */
  readonly state: unknown
  readonly signal: AbortSignal
}

/** Another runner has taken over: this run must not go on. */
class Overtaken extends Error {
  override readonly name = 'Overtaken'
}

/** Whether an error only means that the event is to be handled later, or by another. */
export function isForLater(error: unknown): boolean {
  return error instanceof Overtaken || (error instanceof CancelledError && error.code === 'STOPPED')
}

/** Whether the store, or the way to it, failed, and not the handler: that is waited for, however long it lasts. */
export function isOutage(error: unknown): boolean {
  return error instanceof OutcomeUnknownError || (error instanceof StoreError && error.retryable)
}

/** Whether sending the same command again can never help. */
export function isHopeless(error: unknown): boolean {
  return error instanceof MnemeError && !error.retryable && !isForLater(error)
}

export class ReactionCall {
  readonly #reaction: string
  readonly #event: RecordedEvent
  readonly #rows: ReactionRows
  readonly #means: Means
  readonly #counts = new Map<string, number>()
  readonly timers: Row[] = []
  #state: unknown
  #stateChanged = false

  constructor(reaction: string, event: RecordedEvent, rows: ReactionRows, means: Means) {
    this.#reaction = reaction
    this.#event = event
    this.#rows = rows
    this.#means = means
    this.#state = means.state
  }

  /** What the handler has made of the state, if it has changed it. */
  get changedState(): { readonly state: unknown } | undefined {
    return this.#stateChanged ? { state: this.#state } : undefined
  }

  tools(): ReactionTools<any, any> {
    const state = () => this.#state
    return {
      signal: this.#means.signal,
      get state() {
        return state()
      },
      setState: (next: unknown) => {
        this.#state = next
        this.#stateChanged = true
      },
      dispatch: (command: PlainCommand): Promise<any> => this.#dispatch(command),
      schedule: (command: PlainCommand, due: Due) => this.#schedule(command, due),
    }
  }

  async #dispatch(command: PlainCommand): Promise<Outcome> {
    const named = this.#nameOf(command, '')
    const { aggregate, id } = command
    const key = rejectionKey(this.#event.position, JSON.stringify([aggregate, id, named]))
    const known = this.#rows.rejection(key)
    if (known !== undefined) return { accepted: false, rejection: known }
    const outcome = await this.#means.dispatch({ ...this.#complete(command, named), signal: this.#means.signal })
    if (outcome.accepted || !(outcome.rejection instanceof Rejection)) return outcome
    if (!(await this.#means.keep(rejectionRow(key, outcome.rejection)))) throw new Overtaken()
    return outcome
  }

  #schedule(command: PlainCommand, due: Due): void {
    const timer = { dueAt: this.#dueAt(due), command: this.#complete(command, this.#nameOf(command, 'scheduled ')) }
    const key = timerKey(this.#event.position, this.timers.length)
    this.timers.push({ key, value: toJson('The scheduled command', timer) })
  }

  /** The command's name, with a number from the second one to the same aggregate on. */
  #nameOf({ aggregate, id, name }: PlainCommand, how: string): string {
    const what = JSON.stringify([how, aggregate, id, name])
    const count = (this.#counts.get(what) ?? 0) + 1
    this.#counts.set(what, count)
    return count === 1 ? `${how}${name}` : `${how}${name} ${count}`
  }

  /** With the id that makes it happen once, and where it comes from. */
  #complete(command: PlainCommand, named: string): PlainCommand {
    checkPlainCommand(command)
    const { commitId, position, metadata: inherited } = this.#event
    const { correlationId = commitId } = inherited
    const metadata = { correlationId, causationId: commitId, ...command.metadata }
    return { commandId: `${this.#reaction}:${position}:${named}`, ...command, metadata }
  }

  #dueAt(due: Due): number {
    if (!(due instanceof Date)) checkKeys('when it is due', due, ['afterMs'])
    const at = due instanceof Date ? due.getTime() : this.#event.recordedAt.getTime() + (due?.afterMs ?? Number.NaN)
    if (Number.isFinite(at)) return at
    throw new DefinitionError('OPTION_INVALID', { option: 'due', expected: 'a Date or { afterMs }', found: due })
  }
}
