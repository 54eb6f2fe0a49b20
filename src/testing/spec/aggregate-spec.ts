/**
 * Given, when, then for an aggregate, without a store, a clock or waiting. It decides with the kernel's own function,
 * so a test sees what production would: commands are checked by their schemas, events are turned into JSON and back,
 * states are frozen, and an event that the aggregate does not know fails. It leaves out conflicts and snapshots.
 *
 *     spec(Account)
 *       .given(Opened({ owner: 'Ada' }), Deposited({ amount: 100 }))
 *       .when.withdraw({ amount: 150 })
 *       .rejects('InsufficientFunds', { balance: 100, requested: 150 })
 */
import type { Aggregate, AnyAggregate, Commands } from '../../domain/aggregate.ts'
import type { CommandOptions, MayBeLeftOut } from '../../domain/command.ts'
import { EventError } from '../../domain/error.ts'
import type { NewEvent, NewEventOf, RecordedEvent } from '../../domain/event.ts'
import { JsonCopier } from '../../domain/json.ts'
import { checkKeys } from '../../domain/options.ts'
import type { AnyRejection, Rejection } from '../../domain/rejection.ts'
import { storedForm } from '../../domain/stored-form.ts'
import type { StreamId } from '../../domain/stream.ts'
import { type Decided, dataOf } from '../../kernel/decide.ts'
import { evolved } from '../../kernel/evolved.ts'
import { deepFreeze, freezeParts } from '../../runtime/freeze.ts'
import { compare, fail, shown } from './comparing.ts'
import { decideAlone } from './decide-alone.ts'
import { timeOf } from './history.ts'
import { sealInSpec } from './spec-keys.ts'

/** The codes of a rejection. */
export type CodeOf<Rejected> = Rejected extends Rejection<infer Code, any> ? Code : never
/** The details that come with a code. */
export type DetailsOf<Rejected, Code> =
  Rejected extends Rejection<infer Own extends string, infer Details> ? (Own extends Code ? Details : never) : never

/** Expectations of a command. Each method throws an AssertionError if the expectation is not met. */
export interface Expectation<State, Kinds, Rejected> {
  /** It was accepted with exactly these events, in this order. */
  emits(...events: NewEventOf<Kinds>[]): Expectation<State, Kinds, Rejected>
  /** It was accepted, and there was nothing to do. */
  emitsNothing(): Expectation<State, Kinds, Rejected>
  /** It was rejected with this code and, if given, with these details. */
  rejects<Code extends CodeOf<Rejected>>(code: Code, details?: DetailsOf<Rejected, Code>): void
  /** The state after it equals this. */
  leaves(state: State): Expectation<State, Kinds, Rejected>
}

/** The options of a command in a test: its id (`spec` by default), its metadata and tags. */
export type SpecOptions = Omit<CommandOptions, 'expectedSequence' | 'signal'>

/** A history and a time, on which commands can be tried. Immutable: each method returns a new object. */
export interface Spec<State, Kinds, Cmds extends Commands> {
  /** Adds events to the history, recorded at the time set by `at`. */
  given(...events: NewEventOf<Kinds>[]): Spec<State, Kinds, Cmds>
  /** Sets the time of the events and the command that follow. By default the beginning of 1970. */
  at(now: Date | string): Spec<State, Kinds, Cmds>
  /** The state after the history equals this. Throws an AssertionError if it does not. */
  leaves(state: State): Spec<State, Kinds, Cmds>
  /**
   * Decides a command, with the options that a caller could give. New ids are `id-1`, `id-2` and so on. Throws
   * `COMMAND_INVALID` if the schema refuses the input.
   */
  readonly when: {
    readonly [Name in keyof Cmds]: (
      ...args: MayBeLeftOut<Cmds[Name]['input']> extends true
        ? [data?: Cmds[Name]['input'], options?: SpecOptions]
        : [data: Cmds[Name]['input'], options?: SpecOptions]
    ) => Expectation<State, Kinds, Cmds[Name]['rejection']>
  }
}

/** The history so far, and the state that it makes. */
interface History {
  readonly definition: AnyAggregate
  readonly stream: StreamId
  readonly state: unknown
  readonly sequence: number
  readonly nowMs: number
}

/** Begins a test of an aggregate, with no history. */
export function aggregateSpec<State, Kinds, Cmds extends Commands>(
  aggregate: Aggregate<string, State, Kinds, Cmds>,
): Spec<State, Kinds, Cmds> {
  const definition = aggregate as AnyAggregate
  const stream = { aggregate: definition.name, id: 'spec' }
  return specOf({ definition, stream, state: deepFreeze(definition.initial()), sequence: 0, nowMs: 0 }) as any
}

function specOf(history: History): Spec<unknown, any, Commands> {
  const { definition, sequence } = history
  const names = [...definition.decisions.keys()]
  const self = Object.freeze({
    given: (...events: NewEvent[]) => specOf(events.reduce(record, history)),
    at: (now: Date | string) => specOf({ ...history, nowMs: timeOf(now) }),
    leaves: (state: unknown) => {
      const told = `${definition.name} after ${sequence} ${sequence === 1 ? 'event' : 'events'}`
      compare(told, 'the state', history.state, state, self.leaves)
      return self
    },
    when: Object.freeze(
      Object.fromEntries(
        names.map((name) => [name, (input: unknown, options?: SpecOptions) => tried(history, name, input, options)]),
      ),
    ),
  }) as Spec<unknown, any, Commands>
  return self
}

/** An event as a replay would give it. */
function applied({ definition, stream, sequence, nowMs }: History, { type, data }: NewEvent): RecordedEvent {
  const kind = definition.folds.get(type)?.kind
  if (kind === undefined) {
    const facts = { aggregate: definition.name, event: type, known: [...definition.folds.keys()] }
    throw new EventError('EVENT_UNDECLARED', facts)
  }
  const output = freezeParts(storedForm(kind, sealInSpec(data), new JsonCopier()).output).value
  const next = sequence + 1
  return {
    stream,
    type,
    revision: kind.revisions.length,
    data: output,
    metadata: {},
    tags: kind.tagsOf?.(output) ?? [],
    sequence: next,
    position: 0,
    recordedAt: new Date(nowMs),
    commitId: `given-${next}`,
  }
}

function record(history: History, given: NewEvent): History {
  const event = applied(history, given)
  const fold = history.definition.folds.get(event.type)!
  const state = deepFreeze(evolved(fold, history.state, event))
  return { ...history, state, sequence: event.sequence }
}

function tried(
  history: History,
  name: string,
  given: unknown,
  options: SpecOptions = {},
): Expectation<unknown, any, AnyRejection> {
  checkKeys(`the options of ${name}`, options, ['commandId', 'metadata', 'tags'])
  const { definition } = history
  const decided = decideAlone(history, name, given, { ...options, commandId: options.commandId ?? 'spec' })
  return expectationOf(history, `${definition.name}.${name}(${shown(given)})`, decided)
}

function expectationOf(history: History, command: string, decided: Decided): Expectation<unknown, any, AnyRejection> {
  const told = `${command} on ${shown(history.state)}`
  const actual =
    decided.kind === 'events' ? decided.commit.events.map(({ type }, i) => ({ type, data: dataOf(decided, i) })) : []
  const rejection = decided.kind === 'rejected' ? (decided.rejection as AnyRejection) : undefined
  const emits = (events: readonly NewEvent[], from: Function) => {
    const expected = events.map((event) => {
      const { type, data } = applied(history, event)
      return { type, data }
    })
    if (rejection !== undefined) fail(told, describeEvents(expected), describeRejection(rejection), from)
    compare(told, 'events', actual, expected, from)
    return expectation
  }
  const expectation: Expectation<unknown, any, AnyRejection> = {
    emits: (...events) => emits(events, expectation.emits),
    emitsNothing: () => emits([], expectation.emitsNothing),
    rejects: (code, details) => {
      if (rejection === undefined) fail(told, `a rejection ${code}`, describeEvents(actual), expectation.rejects)
      compare(told, 'the code of the rejection', rejection.code, code, expectation.rejects)
      if (details === undefined) return
      compare(told, `the details of the rejection ${code}`, rejection.details, details, expectation.rejects)
    },
    leaves: (state) => {
      const left = decided.kind === 'events' ? decided.state : history.state
      compare(told, 'the state', left, state, expectation.leaves)
      return expectation
    },
  }
  return Object.freeze(expectation)
}

const describeRejection = ({ code, details }: AnyRejection) =>
  `a rejection ${code}${details === undefined ? '' : ` with ${shown(details)}`}`
const describeEvents = (events: readonly object[]) => (events.length === 0 ? 'no events' : `events ${shown(events)}`)
