/**
 * Decides one command on one state, without I/O: calls the decide function, and checks and applies its events. If
 * anything throws, the state is unchanged.
 */
import type { Fold, Moment } from '../domain/aggregate.ts'
import { discreet } from '../domain/discreet.ts'
import { DecisionError, EventError, hasCode, MnemeError } from '../domain/error.ts'
import { wordsOf } from '../domain/error-words.ts'
import { type AnyEventKind, makerOf, type NewEvent, type RecordedEvent } from '../domain/event.ts'
import { JsonCopier, type JsonObject } from '../domain/json.ts'
import { listExpected } from '../domain/options.ts'
import { ownCopy } from '../domain/own-copy.ts'
import { Rejection } from '../domain/rejection.ts'
import { carrying } from '../domain/sealed-value.ts'
import { storedForm } from '../domain/stored-form.ts'
import type { StreamId } from '../domain/stream.ts'
import { deepFreeze, freezeParts } from '../runtime/freeze.ts'
import { Commit, type CommitEvent, checkTags, sizeOfLabels } from '../store/commit.ts'
import { checkEventCount, checkSize, tooLarge } from '../store/commit-size.ts'
import type { StoreLimits } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { CheckedCommand } from './checked-command.ts'
import { withEpoch } from './epoch.ts'
import { evolved } from './evolved.ts'

/** The stream, the time and the limits of decisions. */
export interface DecisionScope {
  readonly type: AggregateType
  readonly stream: StreamId
  readonly limits: StoreLimits
  /** The `recordedAt` of every event. */
  readonly nowMs: number
  /** Makes a unique id. */
  readonly newId: () => string
  /** The epoch of this process's ownership, if there is one (`ownership.ts`). */
  readonly epoch?: number | undefined
}

/** The parts that all decisions of a round share. */
export class DecisionContext {
  readonly type: AggregateType
  readonly stream: StreamId
  readonly limits: StoreLimits
  readonly nowMs: number
  readonly newId: () => string
  readonly epoch: number | undefined
  readonly recordedAt: Date
  readonly copier: JsonCopier = new JsonCopier()

  constructor({ type, stream, limits, nowMs, newId, epoch }: DecisionScope) {
    this.type = type
    this.stream = stream
    this.limits = limits
    this.nowMs = nowMs
    this.newId = newId
    this.epoch = epoch
    this.recordedAt = new Date(nowMs)
    this.copier.sizeMax = limits.commitSizeMax
    this.copier.tooLarge = (size) => tooLarge(stream, size, limits)
  }
}

/** A decision with events. */
export interface DecidedEvents {
  readonly kind: 'events'
  readonly commit: Commit
  /** The data of events that callers get in another form than the stored one. Most commits have none. */
  readonly outputs: readonly unknown[] | undefined
  readonly state: unknown
}

/** The data of an event of a decision, as callers get it. */
export const dataOf = ({ commit, outputs }: DecidedEvents, index: number): unknown =>
  outputs !== undefined && index in outputs ? outputs[index] : commit.events[index]!.data

/** The result of a decision, before anything is stored. */
export type Decided =
  | DecidedEvents
  | { readonly kind: 'rejected'; readonly rejection: unknown }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** What a decide function gets to know. It cannot change any of it, and cannot reach the context. */
class DecisionMoment implements Moment {
  readonly #context: DecisionContext
  readonly #command: CheckedCommand

  constructor(context: DecisionContext, command: CheckedCommand) {
    this.#context = context
    this.#command = command
  }

  get now(): Date {
    const { nowMs } = this.#context
    return new Date(this.#command.time?.at(nowMs) ?? nowMs)
  }

  get newId(): () => string {
    return this.#context.newId
  }

  get commandId(): string {
    return this.#command.commandId
  }

  get metadata(): JsonObject {
    return this.#command.metadata
  }

  get tags(): readonly string[] {
    return this.#command.tags
  }
}

const rejectedOf = (rejection: unknown): Decided => ({ kind: 'rejected', rejection })
const nothing: Decided = Object.freeze({ kind: 'nothing' })

/**
 * Decides a command and applies its events.
 *
 * @throws DecisionError, EventError, InputError (`DATA_NOT_JSON`, `COMMIT_TOO_LARGE`, `ID_INVALID` of a tag)
 */
export function decide(state: unknown, sequence: number, command: CheckedCommand, context: DecisionContext): Decided {
  const { type, stream, limits, copier, nowMs, recordedAt } = context
  const verdict = judge(state, command, context)
  if (verdict === undefined) return nothing
  if (verdict instanceof Rejection) return rejectedOf(verdict)
  const isList = Array.isArray(verdict)
  const length = isList ? verdict.length : 1
  if (length === 0) return nothing

  let next = state
  checkEventCount(stream, length, limits)
  copier.size = 0
  const stored: CommitEvent[] = new Array(length)
  let outputs: unknown[] | undefined
  const { commandId } = command
  const metadata = context.epoch === undefined ? command.metadata : withEpoch(command.metadata, context.epoch)
  for (let i = 0; i < length; i++) {
    const event = (isList ? verdict[i] : verdict) as NewEvent
    const fold = foldOf(type, stream, command, event)
    const { kind } = fold
    const { stored: copy, output } = storedForm(kind, event.data, copier)
    // Frozen before other code sees it, so that callers get what was stored. A copy is already frozen.
    const data = output === copy ? copy : freezeParts(output).value
    if (data !== copy) outputs ??= new Array(length)
    if (outputs !== undefined) outputs[i] = data
    const tags = kind.tagsOf === undefined ? command.tags : tagsOf(kind, data, command)
    const revision = kind.revisions.length
    // 0, as when the event is loaded: no aggregate can depend on a position.
    const applied: RecordedEvent = {
      type: kind.type,
      data,
      stream,
      sequence: sequence + i + 1,
      position: 0,
      recordedAt,
      metadata,
      tags,
      revision,
      commitId: commandId,
    }
    next = evolve(fold, next, applied, command, context)
    copier.size += sizeOfLabels(metadata, tags)
    stored[i] = { type: kind.type, revision, data: copy, metadata, tags }
  }
  const header = { expected: sequence, id: commandId, recordedAt: nowMs, command: command.mark }
  const commit = new Commit(stream, header, stored, copier.size, !command.repeatable)
  checkSize(commit, limits)
  return { kind: 'events', commit, outputs, state: next }
}

/** Whether a command would have events on a state. If it would fail there, it would have none. */
export function hasEvents(state: unknown, command: CheckedCommand, context: DecisionContext): boolean {
  try {
    const verdict = judge(state, command, context)
    if (verdict === undefined || verdict instanceof Rejection) return false
    return !Array.isArray(verdict) || verdict.length > 0
  } catch {
    return false
  }
}

function judge(state: unknown, command: CheckedCommand, context: DecisionContext): unknown {
  let verdict: unknown
  try {
    // The same input may be decided again. Parts that cannot be frozen (bytes) are copied for each run.
    const input = command.isInputOpen ? ownCopy('The data of a command', command.input) : command.input
    verdict = command.decision.decide(state, input, new DecisionMoment(context, command))
  } catch (cause) {
    // It is not the fault of the function, and the same command may be accepted later.
    if (hasCode(cause, 'KEYS_UNCONFIRMED')) throw cause
    throw new DecisionError(
      'DECIDE_FAILED',
      { stream: context.stream, command: command.name },
      discreet(cause, [command.input, state]),
    )
  }
  if (verdict instanceof Promise) verdict.catch(() => {})
  return verdict
}

function foldOf(type: AggregateType, stream: StreamId, command: CheckedCommand, event: unknown): Fold {
  const offered = event as Partial<NewEvent> | null | undefined
  if (typeof offered !== 'object' || offered === null || typeof offered.type !== 'string') {
    const found = event instanceof Promise ? 'a promise' : event === null ? 'null' : `something of type ${typeof event}`
    throw new DecisionError('VERDICT_INVALID', { stream, command: command.name, found })
  }
  const fold = type.folds.get(offered.type)
  const maker = makerOf(offered)
  if (fold !== undefined && (maker === undefined || maker === fold.kind.family)) return fold
  const named = fold === undefined ? offered.type : `${offered.type} of another kind`
  const facts = { aggregate: type.name, event: named, known: [...type.folds.keys()] }
  throw new EventError('EVENT_UNDECLARED', facts)
}

function tagsOf(kind: AnyEventKind, data: unknown, command: CheckedCommand): readonly string[] {
  try {
    const own: unknown = carrying(() => kind.tagsOf!(data))
    if (!Array.isArray(own)) throw new TypeError(`they are ${listExpected(own, 'strings')}`)
    return checkTags([...command.tags, ...own])
  } catch (cause) {
    if (cause instanceof MnemeError) throw cause
    const message = `its tags cannot be made: ${wordsOf(cause)}`
    const facts = { event: kind.type, where: 'as decided', issues: [{ path: '', message }] }
    throw new EventError('EVENT_INVALID', facts, cause)
  }
}

function evolve(
  fold: Fold,
  state: unknown,
  event: RecordedEvent,
  command: CheckedCommand,
  { recordedAt, nowMs }: DecisionContext,
): unknown {
  try {
    const next = deepFreeze(evolved(fold, state, event))
    // All events of the round share this date. A check is cheaper than freezing it.
    if (recordedAt.getTime() !== nowMs) {
      Date.prototype.setTime.call(recordedAt, nowMs)
      throw new TypeError(`its .on for ${event.type} changed the recordedAt of the event in place`)
    }
    return next
  } catch (cause) {
    if (cause instanceof MnemeError) throw cause
    throw new DecisionError('EVOLVE_FAILED', { stream: event.stream, command: command.name, event: event.type }, cause)
  }
}
