/**
 * The answers that the commands of a reaction get in a spec. Without a stub a command is accepted with no events, on
 * the initial state of its aggregate.
 */
import type { Aggregate, AnyAggregate, Commands } from '../../domain/aggregate.ts'
import { EventError } from '../../domain/error.ts'
import type { NewEvent, NewEventOf, RecordedEvent } from '../../domain/event.ts'
import { checkKeys, refuseOption } from '../../domain/options.ts'
import type { Outcome } from '../../domain/outcome.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import { Rejection } from '../../domain/rejection.ts'
import { evolved } from '../../kernel/evolved.ts'
import { eventOf } from '../../kernel/rehydrate.ts'
import { isForLater } from '../../projection/failures/blame.ts'
import { deepFreeze } from '../../runtime/freeze.ts'
import { storedEvent } from './history.ts'

/**
 * What a command answers: a rejection; an error, which `dispatch` throws; an event or a list of events, with which it
 * is accepted, and which are applied to the initial state of the aggregate; or the state after it, and its events.
 */
export type StubbedAnswer<State, Kinds, Rejected> =
  | Rejected
  | Error
  | NewEventOf<Kinds>
  | readonly NewEventOf<Kinds>[]
  | { readonly state: State; readonly events?: readonly NewEventOf<Kinds>[] }

/** Answers by the aggregate's name and the command's: each one answer, or a function that chooses by id and data. */
export type Answers<A> = {
  readonly [K in keyof A as A[K] extends Aggregate<infer Name, any, any, any> ? Name : never]?: A[K] extends Aggregate<
    string,
    infer State,
    infer Kinds,
    infer Cmds extends Commands
  >
    ? {
        readonly [Name in keyof Cmds]?:
          | StubbedAnswer<State, Kinds, Cmds[Name]['rejection']>
          | ((command: {
              readonly id: string
              readonly data: Cmds[Name]['input']
            }) => StubbedAnswer<State, Kinds, Cmds[Name]['rejection']> | undefined)
      }
    : never
}

/** Answers as a spec keeps them: by the aggregate's name, then the command's. */
export type Stubs = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/**
 * Adds answers to those that are there.
 *
 * @param aggregates those that the reaction knows; none if it was defined without
 * @throws DefinitionError `OPTION_INVALID` for an aggregate or a command that they do not have
 */
export function withAnswers(stubs: Stubs, given: Stubs, aggregates: readonly AnyAggregate[]): Stubs {
  const isKnown = aggregates.length > 0
  checkKeys('answers(answers)', given, isKnown ? aggregates.map(({ name }) => name) : Object.keys(given ?? {}))
  const all: Record<string, Readonly<Record<string, unknown>>> = { ...stubs }
  for (const [name, answers] of Object.entries(given)) {
    const known = aggregates.find((aggregate) => aggregate.name === name)?.decisions.keys()
    checkKeys(`answers({ ${name} })`, answers, [...(known ?? Object.keys(answers))])
    all[name] = { ...all[name], ...answers }
  }
  return all
}

/**
 * The answer to a command.
 *
 * @throws the error of the stub; DefinitionError `OPTION_INVALID` for a stub that is not an answer
 */
export function answerTo(
  command: PlainCommand,
  stubs: Stubs,
  aggregate: AnyAggregate | undefined,
  nowMs: number,
): Outcome {
  const { aggregate: of, id, name, data } = command
  const stub = stubs[of]?.[name]
  const answer = typeof stub === 'function' ? stub({ id, data }) : stub
  const where = `the answer of ${of}.${name}`
  if (isForLater(answer)) refuseOption(where, 'an error that a command can fail with in a domain that runs', answer)
  if (answer instanceof Error) throw answer
  if (answer instanceof Rejection) return { accepted: false, rejection: answer }
  const { events, state } = partsOf(where, answer)
  return accepted(command, aggregate, events, state, nowMs)
}

interface Parts {
  readonly events: readonly NewEvent[]
  readonly state?: { readonly given: unknown }
}

function partsOf(where: string, answer: unknown): Parts {
  if (answer === undefined) return { events: [] }
  if (Array.isArray(answer)) return { events: answer }
  if (typeof answer !== 'object' || answer === null) {
    return refuseOption(where, 'a rejection, an error, an event, a list of events, or { state, events? }', answer)
  }
  if ('type' in answer && 'data' in answer) return { events: [answer as NewEvent] }
  checkKeys(where, answer, ['state', 'events'])
  const { state, events = [] } = answer as { readonly state: unknown; readonly events?: readonly NewEvent[] }
  return { events, state: { given: state } }
}

/** A command that was accepted: its events as production would give them, and the state after them. */
function accepted(
  { aggregate: name, id }: PlainCommand,
  aggregate: AnyAggregate | undefined,
  events: readonly NewEvent[],
  given: Parts['state'],
  nowMs: number,
): Outcome {
  let state: unknown = aggregate === undefined ? undefined : deepFreeze(aggregate.initial())
  let counts = { log: 0, streams: new Map() as ReadonlyMap<string, number> }
  const recorded: RecordedEvent[] = []
  for (const event of events) {
    const fold = aggregate?.folds.get(event.type)
    if (fold === undefined) {
      const known = [...(aggregate?.folds.keys() ?? [])]
      throw new EventError('EVENT_UNDECLARED', { aggregate: name, event: event.type, known })
    }
    const made = storedEvent(fold.kind, { place: { id }, event }, name, counts, nowMs)
    counts = made.counts
    const one = eventOf(fold.kind, made.stored)
    recorded.push(one)
    if (given === undefined) state = deepFreeze(evolved(fold, state, one))
  }
  if (given !== undefined) state = deepFreeze(given.given)
  return { accepted: true, state, events: recorded, sequence: events.length, position: events.length }
}
