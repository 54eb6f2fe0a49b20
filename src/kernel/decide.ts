/**
 * One command on one state, without I/O: the verdict, its events checked and applied. Whatever throws on the way leaves the
 * state that it started from as it was.
 */
import type { Fold, Moment } from '../domain/aggregate.ts'
import { DecisionError, EventError, MnemeError } from '../domain/error.ts'
import { type AnyEventKind, makerOf, type NewEvent, type RecordedEvent } from '../domain/event.ts'
import type { JsonCopier, JsonObject } from '../domain/json.ts'
import { listExpected } from '../domain/options.ts'
import { ownCopy } from '../domain/own-copy.ts'
import { Rejection } from '../domain/rejection.ts'
import { storedForm } from '../domain/stored-form.ts'
import type { StreamId } from '../domain/stream.ts'
import { Commit, type CommitEvent, checkTags, sizeOfLabels } from '../store/commit.ts'
import { checkEventCount, checkSize, tooLarge } from '../store/expected.ts'
import type { StoreLimits } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import { evolved } from './evolved.ts'
import { deepFreeze, freezeParts } from './freeze.ts'
import type { CheckedCommand } from './pending-command.ts'

/** The moment of a round of decisions: every event of the round carries it. */
export interface RoundMoment extends Pick<Moment, 'now' | 'newId'> {
  readonly nowMs: number
  readonly recordedAt: Date
  /** One for all events of the round. */
  readonly copier: JsonCopier
}

/** What became of a command, before anything is stored. */
export type Decided =
  | {
      readonly kind: 'events'
      readonly commit: Commit
      /** Of each event the data as it is handed out. */
      readonly data: readonly unknown[]
      readonly state: unknown
    }
  | { readonly kind: 'rejected'; readonly rejection: unknown }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly error: unknown }

/** What one decision may know: nothing in it can be changed, and nothing of the round can be reached. */
class DecisionMoment implements Moment {
  readonly #round: RoundMoment
  readonly #command: CheckedCommand

  constructor(round: RoundMoment, command: CheckedCommand) {
    this.#round = round
    this.#command = command
  }

  get now(): Date {
    return new Date(this.#round.nowMs)
  }

  get newId(): () => string {
    return this.#round.newId
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
export function decide(
  type: AggregateType,
  stream: StreamId,
  state: unknown,
  sequence: number,
  command: CheckedCommand,
  moment: RoundMoment,
  limits: StoreLimits,
): Decided {
  const verdict = judge(stream, state, command, moment)
  if (verdict === undefined) return nothing
  if (verdict instanceof Rejection) return rejectedOf(verdict)
  const offered = Array.isArray(verdict) ? verdict : [verdict]
  if (offered.length === 0) return nothing

  let next = state
  const { length } = offered
  checkEventCount(stream, length, limits)
  const { copier } = moment
  copier.size = 0
  copier.sizeMax = limits.commitSizeMax
  copier.tooLarge = (size) => tooLarge(stream, size, limits)
  const stored: CommitEvent[] = new Array(length)
  const outputs: unknown[] = new Array(length)
  const { commandId, metadata } = command
  for (let i = 0; i < length; i++) {
    const event = offered[i] as NewEvent
    const fold = foldOf(type, stream, command, event)
    const { kind } = fold
    const { stored: copy, output } = storedForm(kind, event.data, copier)
    // Before anybody sees it: what the caller is told is what was stored.
    const data = freezeParts(output).value
    const tags = kind.tagsOf === undefined ? command.tags : tagsOf(kind, data, command)
    const revision = kind.revisions.length
    // As when it is read again: no aggregate can come to depend on a position.
    const applied: RecordedEvent = {
      type: kind.type,
      data,
      stream,
      sequence: sequence + i + 1,
      position: 0,
      recordedAt: moment.recordedAt,
      metadata,
      tags,
      revision,
      commitId: commandId,
    }
    next = evolve(fold, next, applied, command, moment)
    copier.size += sizeOfLabels(metadata, tags)
    stored[i] = { type: kind.type, revision, data: copy, metadata, tags }
    outputs[i] = data
  }
  const place = { expected: sequence, id: commandId, recordedAt: moment.nowMs, command: command.mark }
  const commit = new Commit(stream, place, stored, copier.size, !command.repeatable)
  checkSize(commit, limits)
  return { kind: 'events', commit, data: outputs, state: next }
}

function judge(stream: StreamId, state: unknown, command: CheckedCommand, moment: RoundMoment): unknown {
  let verdict: unknown
  try {
    // It may be decided again, on the same input. What cannot be frozen in it (bytes) is copied for each run.
    const input = command.isInputOpen ? ownCopy('The data of a command', command.input) : command.input
    verdict = command.decision.decide(state, input, new DecisionMoment(moment, command))
  } catch (cause) {
    throw new DecisionError('DECIDE_FAILED', { stream, command: command.name }, cause)
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
  const named = fold === undefined ? offered.type : `${offered.type} of another kind than its own`
  const facts = { aggregate: type.name, event: named, known: [...type.folds.keys()] }
  throw new EventError('EVENT_UNDECLARED', facts)
}

function tagsOf(kind: AnyEventKind, data: unknown, command: CheckedCommand): readonly string[] {
  try {
    const own: unknown = kind.tagsOf!(data)
    if (!Array.isArray(own)) throw new TypeError(`they are ${listExpected(own, 'texts')}`)
    return checkTags([...command.tags, ...own])
  } catch (cause) {
    if (cause instanceof MnemeError) throw cause
    const message = `its tags cannot be made: ${cause instanceof Error ? cause.message : cause}`
    const facts = { event: kind.type, where: 'as decided', issues: [{ path: '', message }] }
    throw new EventError('EVENT_INVALID', facts, cause)
  }
}

function evolve(
  fold: Fold,
  state: unknown,
  event: RecordedEvent,
  command: CheckedCommand,
  { recordedAt, nowMs }: RoundMoment,
): unknown {
  try {
    const next = deepFreeze(evolved(fold, state, event))
    // All events of the round have this one; freezing it would cost more than all the rest.
    if (recordedAt.getTime() !== nowMs) {
      Date.prototype.setTime.call(recordedAt, nowMs)
      throw new TypeError(`its .on for ${event.type} changed the event's recordedAt in place`)
    }
    return next
  } catch (cause) {
    if (cause instanceof MnemeError) throw cause
    throw new DecisionError('EVOLVE_FAILED', { stream: event.stream, command: command.name, event: event.type }, cause)
  }
}
