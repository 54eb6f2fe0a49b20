/**
 * One run of a reaction's handler on one event: the commands that it sends and schedules, and the state that it sets.
 * The id of a command is derived from the reaction, the event's position, the command's name, and the number of earlier
 * commands with that name to the same aggregate. A run after a crash therefore sends the same ids and gets the same
 * answers.
 */

import { decode } from '../../domain/encoding.ts'
import { hasCode, InputError, ProjectionError } from '../../domain/error.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import type { FailurePolicy } from '../../domain/failure-policy.ts'
import type { HandledKinds } from '../../domain/handled-kinds.ts'
import { checkId } from '../../domain/id.ts'
import type { JsonObject } from '../../domain/json.ts'
import { checkKeys, checkOption, checkWhole } from '../../domain/options.ts'
import type { Outcome } from '../../domain/outcome.ts'
import { sealedWithin } from '../../domain/personal-fields.ts'
import { checkPlainCommand, type PlainCommand } from '../../domain/plain-command.ts'
import type {
  AnyReaction,
  Due,
  EventHandler,
  ReactionTools,
  ScheduleOptions,
  Step,
  StepOptions,
} from '../../domain/reaction.ts'
import { SealedValue } from '../../domain/sealed-value.ts'
import { type CommandCause, checkCallersId, derivedCommandId } from '../../kernel/command-id.ts'
import type { Fence } from '../../kernel/dispatch-options.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { Observing } from '../../runtime/observing.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { EventStore, ProjectionStore, Row } from '../../store/store.ts'
import type { StepperContext } from '../checkpoint/step.ts'
import { isForLater, isNewer, Overtaken } from '../failures/blame.ts'
import type { Tail } from '../log/tail.ts'
import { keyedRow, storedCommand, timerRow } from '../stored/timer-row.ts'
import { Answer } from './answer.ts'
import { attemptStep } from './attempts.ts'
import { DecisionTime, type Means, type NthCommand } from './decision-time.ts'
import { answerKey, answerRow, type ReactionRows, stepRow, type UnstoredAnswer } from './reaction-rows.ts'
import { timeOf } from './schedule-time.ts'

/** How a command of a reaction is sent. */
export interface Sending {
  /** Called before each decision. Its error fails the command. */
  readonly fence: Fence
  /** The id of the command, if the handler has given it none. */
  readonly derivedId?: string | undefined
  /** For an observer: the `span` of what sends it. */
  readonly parent?: number | undefined
}

/** Sends a command. A rejection is an outcome too. */
export type Dispatch = (command: PlainCommand, sending: Sending) => Promise<Outcome>

/** A complete command, and the id that makes it happen only once. */
interface Complete {
  readonly command: PlainCommand
  /** Absent if the handler has given an id. */
  readonly derivedId?: string
}

export interface ReactionStepsOptions {
  readonly reaction: AnyReaction
  readonly kinds: HandledKinds<EventHandler>
  /** The name under which checkpoint and rows are stored. */
  readonly name: string
  readonly store: EventStore & ProjectionStore
  readonly environment: Environment
  /** Tells when the log grows. */
  readonly tail: Tail
  readonly warn: Warn
  /** Absent if nobody observes. */
  readonly observing?: Observing | undefined
  readonly dispatch: Dispatch
  /** Checks whether a command can be sent, as far as its data shows. @throws InputError if not */
  readonly check: (command: PlainCommand) => void
  /** Absent if no part of the domain has personal fields. */
  readonly personal?:
    | {
        /** The data of a command, with personal values in its personal fields. */
        readonly dataOf: (command: PlainCommand) => unknown
        /** Gives keys to personal values, so that they can be stored. */
        readonly seal: (values: readonly SealedValue[]) => Promise<void>
      }
    | undefined
  /** Names of metadata that pass from an event to its commands, beside those that always do. */
  readonly carry: readonly string[]
  /** The state of an aggregate as it was at a sequence. */
  readonly stateAt: (aggregate: string, id: string, sequence: number) => Promise<unknown>
  readonly lead: StepperContext
}

/** What a run needs from the steps. */
export interface HandlerContext
  extends Means,
    Pick<ReactionStepsOptions, 'dispatch' | 'check' | 'personal' | 'stateAt' | 'carry' | 'environment'> {
  readonly policy: Required<FailurePolicy>
  /** Called for a command that was not accepted and whose answer is not awaited. */
  readonly onRefused: (command: PlainCommand, why: unknown) => void
  /** The state of the reaction for the event's key. */
  readonly state: unknown
  readonly signal: AbortSignal
  /** For an observer: the `span` of this run. */
  readonly parent: number | undefined
}

/** A trace goes on through the log. The names are those of W3C Trace Context. */
const alwaysCarried = ['traceparent', 'tracestate']

/** A command that a handler has sent, and its answer. */
interface Sent {
  readonly command: PlainCommand
  readonly answer: Answer<Outcome>
}

export class ReactionCall {
  readonly #reaction: string
  readonly #event: RecordedEvent
  readonly #rows: ReactionRows
  readonly #means: HandlerContext
  readonly #counts = new Map<string, number>()
  readonly #sent: Sent[] = []
  readonly #steps: Answer<unknown>[] = []
  readonly #unsettled = new Set<Promise<unknown>>()
  /** The names of the steps that are being done, by their rows. */
  readonly #doing = new Map<string, string>()
  readonly timers: Row[] = []
  /** Timers whose commands have personal values without a key. */
  readonly #unsealed: { readonly values: readonly SealedValue[]; readonly seal: () => void }[] = []
  #scheduled = 0
  #state: unknown
  #stateChanged = false
  /** The error which means that the event is handled later or by another process. */
  #cutShort: { readonly error: unknown } | undefined
  #isOver = false

  constructor(reaction: string, event: RecordedEvent, rows: ReactionRows, means: HandlerContext) {
    this.#reaction = reaction
    this.#event = event
    this.#rows = rows
    this.#means = means
    this.#state = means.state
  }

  /** The names of the steps that the handler is doing now. */
  readonly stepsUnderWay = (): readonly string[] => [...this.#doing.values()]

  /** The new state, if the handler has set one. */
  get changedState(): { readonly state: unknown } | undefined {
    return this.#stateChanged ? { state: this.#state } : undefined
  }

  /**
   * Runs the handler, and waits for all its commands, whether or not the handler waits. If a command was rejected and
   * its answer was not awaited, that is reported.
   *
   * @throws what the handler throws; the failure of a command that it did not await; an error which means that the
   *   event is handled later or elsewhere, even if the handler has caught it
   */
  async run(handle: EventHandler['handle']): Promise<void> {
    let failed: { readonly error: unknown } | undefined
    try {
      await handle(this.#event, this.#tools())
    } catch (error) {
      failed = { error }
    }
    const isSeen = (answer: Answer<unknown>) => answer.isSettled && answer.isAwaited
    const seen = new Set(this.#sent.filter(({ answer }) => isSeen(answer)))
    const unseen = this.#steps.filter((step) => !isSeen(step))
    while (this.#unsettled.size > 0) await Promise.allSettled(this.#unsettled)
    this.#isOver = true
    if (this.#cutShort !== undefined) throw this.#cutShort.error
    if (failed !== undefined) throw failed.error
    for (const step of unseen) await step
    const rejected: (readonly [PlainCommand, unknown])[] = []
    for (const sent of this.#sent) {
      if (seen.has(sent)) continue
      const { isAwaited } = sent.answer
      const outcome = await sent.answer
      if (!outcome.accepted && !isAwaited) rejected.push([sent.command, outcome.rejection])
    }
    for (const [command, rejection] of rejected) this.#means.onRefused(command, rejection)
    for (const { values, seal } of this.#unsealed) {
      await this.#seal(values)
      seal()
    }
  }

  #tools(): ReactionTools<any, any> {
    const state = () => this.#state
    return {
      signal: this.#means.signal,
      get state() {
        return state()
      },
      setState: (next: unknown) => {
        this.#checkTurn()
        this.#state = next
        this.#stateChanged = true
      },
      dispatch: (command: PlainCommand): Promise<any> => this.#send(command),
      step: (name: string, run: Step<any>, options?: StepOptions) => this.#step(name, run, options),
      schedule: (command: PlainCommand, due: Due, options: ScheduleOptions = {}) => {
        this.#checkTurn()
        this.#schedule(command, due, options)
      },
      cancel: (key: string) => {
        this.#checkTurn()
        checkId('the key of a timer', key)
        this.timers.push(keyedRow(key, undefined))
      },
    }
  }

  #send(command: PlainCommand): Answer<Outcome> {
    const work = this.#dispatch(command).catch((error: unknown) => {
      if (isForLater(error) || isNewer(error)) this.#cutShort ??= { error }
      throw error
    })
    const answer = Answer.of(work, (settled) => {
      this.#unsettled.delete(settled)
      if (this.#isOver && !settled.isAwaited) this.#means.onRefused(command, this.#over)
    })
    if (this.#isOver) return answer
    this.#unsettled.add(answer)
    this.#sent.push({ command, answer })
    return answer
  }

  async #dispatch(command: PlainCommand): Promise<Outcome> {
    this.#checkTurn()
    checkPlainCommand(command)
    const { dispatch, keep, stateAt, signal, parent } = this.#means
    const nth = this.#count(command, 'sent')
    const { aggregate, id, name } = command
    const { position } = this.#event
    const what: NthCommand = [aggregate, id, name, nth]
    const key = answerKey(position, JSON.stringify(what))
    const known = this.#rows.answer(key) as UnstoredAnswer | undefined
    if (known !== undefined) {
      if ('rejection' in known) return { accepted: false, rejection: known.rejection }
      return { accepted: true, state: await stateAt(aggregate, id, known.sequence), ...known, events: [] }
    }
    const { command: complete, derivedId } = this.#complete(command, nth, 'sent')
    const time = new DecisionTime(this.#means, this.#rows, position, what)
    const sending = { fence: time.fence, derivedId, parent }
    const outcome = await dispatch({ ...complete, signal }, sending).catch((error) => time.afterFailure(error))
    const row = answerRow(key, outcome)
    if (row !== undefined && !(await keep(row))) throw new Overtaken()
    return outcome
  }

  #step(name: string, run: Step<any>, options: StepOptions = {}): Answer<any> {
    const work = this.#doStep(name, run, options).catch((error: unknown) => {
      if (error instanceof Overtaken) this.#cutShort ??= { error }
      throw error
    })
    const answer = Answer.of(work, (settled) => this.#unsettled.delete(settled))
    if (this.#isOver) return answer
    this.#unsettled.add(answer)
    this.#steps.push(answer)
    return answer
  }

  async #doStep(name: string, run: Step<unknown>, options: StepOptions): Promise<unknown> {
    this.#checkTurn()
    checkId('the name of a step', name)
    checkOption('run', run ?? null, (found) => typeof found === 'function', 'a function, in step(name, run)')
    checkKeys('step(name, run, options)', options, ['timeoutMs', 'retries'])
    checkWhole('timeoutMs', options.timeoutMs, 1)
    checkWhole('retries', options.retries, 0)
    const { fence, keep, environment, policy, signal } = this.#means
    const { position } = this.#event
    const what = JSON.stringify(['step', name])
    const nth = (this.#counts.get(what) ?? 0) + 1
    this.#counts.set(what, nth)
    const key = answerKey(position, JSON.stringify(['step', name, nth]))
    const known = this.#rows.answer(key) as { readonly result?: unknown } | undefined
    if (known !== undefined) return known.result
    await fence()
    const id = derivedCommandId({ reaction: this.#reaction, position, command: name, nth, how: 'step' })
    const facts = { reaction: this.#reaction, step: name, position }
    this.#doing.set(key, name)
    const attempts = { id, options, environment, ...policy, signal, facts }
    const result = await attemptStep(run, attempts).finally(() => this.#doing.delete(key))
    await this.#seal(sealedWithin(result))
    const row = stepRow(key, name, result)
    if (!(await keep(row))) throw new Overtaken()
    // What the handler gets now is what it gets if it runs again.
    return (decode(row.value!) as { readonly result?: unknown }).result
  }

  /** Stops a handler that was overtaken at its next call, and one that has already returned. */
  #checkTurn(): void {
    if (this.#cutShort !== undefined) throw this.#cutShort.error
    if (this.#isOver) throw this.#over
  }

  get #over(): ProjectionError {
    return new ProjectionError('HANDLER_OVER', { reaction: this.#reaction, position: this.#event.position })
  }

  #schedule(command: PlainCommand, due: Due, options: ScheduleOptions): void {
    checkKeys('schedule(command, due, options)', options, ['key'])
    const { key: userKey } = options
    if (userKey !== undefined) checkId('the key of a timer', userKey)
    checkPlainCommand(command)
    const dueAt = timeOf(due, this.#event.recordedAt)
    const { command: complete, ...id } = this.#complete(command, this.#count(command, 'scheduled'), 'scheduled')
    const n = this.#scheduled++
    const rowOf = (command: PlainCommand): Row => {
      const stored = storedCommand(command)
      this.#checkScheduled(command, stored.json)
      const timer = { dueAt, ...stored.form, ...id, ...(userKey !== undefined && { userKey }) }
      return timerRow(timer, this.#event.position, n)
    }
    const { key } = timerRow({ dueAt, command: {} }, this.#event.position, n)
    if (userKey !== undefined) this.timers.push(keyedRow(userKey, key))
    this.#addTimer(complete, key, rowOf)
  }

  /** Adds a timer. If its command has personal values without a key, the row is made when the handler is over. */
  #addTimer(complete: PlainCommand, key: string, rowOf: (command: PlainCommand) => Row): void {
    const data = this.#means.personal?.dataOf(complete) ?? complete.data
    const command = data === complete.data ? complete : { ...complete, data }
    const values = sealedWithin(data).filter(SealedValue.isUnsealed)
    const at = this.timers.length
    if (values.length === 0) this.timers.push(rowOf(command))
    else {
      this.#means.check(command)
      this.timers.push({ key, value: undefined })
      this.#unsealed.push({ values, seal: () => this.timers.splice(at, 1, rowOf(command)) })
    }
  }

  async #seal(values: readonly SealedValue[]): Promise<void> {
    const unsealed = values.filter(SealedValue.isUnsealed)
    if (unsealed.length > 0) await this.#means.personal?.seal(unsealed)
  }

  /**
   * A scheduled command is checked as it will be sent, because nobody could correct it when it is due.
   *
   * @param stored the command as it is stored, as JSON
   */
  #checkScheduled(given: PlainCommand, stored: PlainCommand): void {
    const { check } = this.#means
    try {
      check(stored)
    } catch (error) {
      if (!hasCode(error, 'COMMAND_INVALID')) throw error
      check(given)
      const found =
        'a value that its schema does not accept after it was stored as JSON (for a date, use z.coerce.date())'
      const path = error.facts.issues[0]?.path ?? ''
      throw new InputError('DATA_NOT_JSON', { what: `The scheduled command ${given.name}`, path, found }, error)
    }
  }

  /** The number of this command among those of the same name to the same aggregate, from 1. */
  #count({ aggregate, id, name }: PlainCommand, how: CommandCause['how']): number {
    const what = JSON.stringify([how, aggregate, id, name])
    const nth = (this.#counts.get(what) ?? 0) + 1
    this.#counts.set(what, nth)
    return nth
  }

  /** Adds the metadata that say where the command comes from, and its id. */
  #complete(command: PlainCommand, nth: number, how: CommandCause['how']): Complete {
    const { commitId, position, metadata: inherited } = this.#event
    const { correlationId = commitId } = inherited
    const metadata = { ...this.#carried, correlationId, causationId: commitId, ...command.metadata }
    const complete = { ...command, metadata }
    if (command.commandId === undefined) {
      const cause = { reaction: this.#reaction, position, command: command.name, nth, how }
      return { command: complete, derivedId: derivedCommandId(cause) }
    }
    checkCallersId(command.commandId)
    return { command: complete }
  }

  /** What of the event's metadata passes to its commands. */
  get #carried(): JsonObject {
    const { metadata } = this.#event
    const names = [...alwaysCarried, ...this.#means.carry].filter((name) => Object.hasOwn(metadata, name))
    return Object.fromEntries(names.map((name) => [name, metadata[name]!]))
  }
}
