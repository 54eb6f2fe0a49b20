/**
 * One command on one state, without I/O: the verdict, its events checked and applied. Whatever throws on the way leaves the
 * state that it started from as it was.
 */
import type { Fold, Moment } from '../domain/aggregate.ts'
import { DecisionError, EventError, MnemeError } from '../domain/error.ts'
import { type NewEvent, outputOf } from '../domain/event.ts'
import { type JsonObject, measureJson } from '../domain/json.ts'
import { Rejection } from '../domain/rejection.ts'
import type { StreamId } from '../domain/stream.ts'
import { type Commit, type CommitEvent, checkTags, commitEvent, trustedCommit } from '../store/commit.ts'
import { checkSize } from '../store/expected.ts'
import type { StoreLimits } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import { deepFreeze } from './freeze.ts'
import type { CheckedCommand } from './pending-command.ts'

/** An event as `evolve` of an aggregate sees it: the position is not known before the event is stored. */
export interface AppliedEvent {
  readonly stream: StreamId
  readonly type: string
  readonly revision: number
  /** The newest schema's output. */
  readonly data: unknown
  readonly metadata: JsonObject
  readonly tags: readonly string[]
  readonly sequence: number
  readonly recordedAt: Date
  readonly commitId: string
}

/** What became of a command, before anything is stored. */
export type Decided =
  | {
      readonly kind: 'events'
      readonly commit: Commit
      readonly events: readonly AppliedEvent[]
      readonly state: unknown
    }
  | { readonly kind: 'rejected'; readonly rejection: unknown }
  | { readonly kind: 'nothing' }

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
  moment: Moment & { readonly nowMs: number },
  limits: StoreLimits,
): Decided {
  const verdict = judge(stream, state, command, moment)
  if (verdict === undefined) return nothing
  if (verdict instanceof Rejection) return rejectedOf(verdict)
  const offered = Array.isArray(verdict) ? verdict : [verdict]
  if (offered.length === 0) return nothing

  let next = state
  let size = 0
  const stored: CommitEvent[] = []
  const events: AppliedEvent[] = []
  for (const event of offered as readonly NewEvent[]) {
    const fold = foldOf(type, stream, command, event)
    const { kind } = fold
    const copied = measureJson(`The event ${kind.type}`, event.data)
    const data = outputOf(kind, copied.value)
    const tags = kind.tagsOf === undefined ? command.tags : checkTags([...command.tags, ...kind.tagsOf(data)])
    const applied: AppliedEvent = {
      stream,
      type: kind.type,
      revision: kind.revisions.length,
      data,
      metadata: command.metadata,
      tags,
      sequence: sequence + events.length + 1,
      recordedAt: new Date(moment.nowMs),
      commitId: command.commandId,
    }
    next = evolve(fold, next, applied, command)
    size += copied.size
    stored.push(commitEvent(kind.type, applied.revision, copied.value, command.metadata, tags))
    events.push(applied)
  }
  const { commandId: id } = command
  const commit = trustedCommit({ stream, expected: sequence, id, recordedAt: moment.nowMs }, stored, size)
  checkSize(commit, limits)
  return { kind: 'events', commit, events, state: next }
}

function judge(stream: StreamId, state: unknown, command: CheckedCommand, moment: Moment): unknown {
  let verdict: unknown
  try {
    verdict = command.decision.decide(state, command.input, moment)
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
  if (fold !== undefined) return fold
  const facts = { aggregate: type.name, event: offered.type, known: [...type.folds.keys()] }
  throw new EventError('EVENT_UNDECLARED', facts)
}

function evolve({ evolve }: Fold, state: unknown, event: AppliedEvent, command: CheckedCommand): unknown {
  try {
    return deepFreeze(evolve(state, event.data, event))
  } catch (cause) {
    if (cause instanceof MnemeError) throw cause
    throw new DecisionError('EVOLVE_FAILED', { stream: event.stream, command: command.name, event: event.type }, cause)
  }
}
