/**
 * Aggregates: how events change the state, and how commands are decided, as pure functions. Each method returns a new
 * definition with more precise types. Nothing is registered globally.
 */
import { DefinitionError } from './error.ts'
import type { AnyEventKind, DataOf, EventOf, MadeEvent, NewEvent } from './event.ts'
import { checkId } from './id.ts'
import type { JsonObject } from './json.ts'
import { checkKeys, checkWhole } from './options.ts'
import type { AnyRejection } from './rejection.ts'
import { type AnySchema, type In, isSchema, type Out, type Schema } from './schema.ts'
import { carrying } from './sealed-value.ts'

/** What a decide function gets besides state and input, so that it can stay pure. */
export interface Moment {
  /**
   * The `recordedAt` of the events that it returns. For a command that a handler of a reaction has sent, it is the time
   * of the first decision, also when another process decides it again.
   */
  readonly now: Date
  /** Makes a unique id. */
  newId(): string
  /** The id of the command, chosen by the caller or made by the library. Its events have it as `commitId`. */
  readonly commandId: string
  /** The metadata that the caller gave; empty if none. */
  readonly metadata: JsonObject
  /** The tags of the command. */
  readonly tags: readonly string[]
}

/**
 * What a decide function may return: an event, a list of events, nothing, or a rejection. The events are taken from all
 * kinds in one step, because the compiler needs much longer to take them from each.
 */
export type Verdict<Kinds> = [Kinds] extends [{ readonly type: infer Type extends string }]
  ? MadeEvent<Type, any> | readonly MadeEvent<Type, any>[] | AnyRejection | undefined
  : never

/** The types of a command: its input, and its possible rejections. */
export interface Command<Input, Rejected> {
  readonly input: Input
  readonly rejection: Rejected
}
export type Commands = Record<string, Command<any, any>>

/** A property that the function of `on` returns but the state does not have, for the compiler's message. */
export type Foreign<Returned, State> = Exclude<
  Returned extends unknown ? keyof Returned : never,
  State extends unknown ? keyof State : never
>

/** Options of one aggregate. `start` can set defaults for all. */
export interface AggregateOptions {
  /** A snapshot is taken when the sequence reaches or passes a multiple of this. By default there are no snapshots. */
  readonly snapshotEvery?: number
  /** Raise it when the shape of the state changes. Snapshots of another revision are ignored. 1 by default. */
  readonly stateRevision?: number
  /** How long an idle instance stays in memory, in milliseconds. */
  readonly passivateAfterMs?: number
}

/** @internal */
export const aggregateOptions: readonly (keyof AggregateOptions)[] = [
  'snapshotEvery',
  'stateRevision',
  'passivateAfterMs',
]

/** How one kind of event changes the state, as the kernel sees it. */
export interface Fold {
  readonly kind: AnyEventKind
  readonly evolve: (state: any, data: any, event: any) => unknown
}

/** How one command is decided, as the kernel sees it. */
export interface Decision {
  readonly schema: Schema
  readonly decide: (state: any, input: any, moment: Moment) => unknown
}

declare const types: unique symbol

/** A definition of an aggregate: immutable, free of I/O, and callable as plain functions. */
export interface Aggregate<out Name extends string, in out State, out Kinds, in out Cmds> {
  readonly name: Name
  /** For the compiler only, which reads types from here much faster than it infers them. */
  readonly [types]: { readonly state: State; readonly kinds: Kinds; readonly commands: Cmds }
  readonly options: AggregateOptions
  readonly folds: ReadonlyMap<string, Fold>
  readonly decisions: ReadonlyMap<string, Decision>

  /** Sets how a kind of event changes the state. */
  on<Kind extends AnyEventKind, Returned extends State>(
    kind: Kind,
    evolve: (
      state: State,
      data: DataOf<Kind>,
      event: EventOf<Kind>,
    ) => [Foreign<Returned, State>] extends [never]
      ? Returned
      : `${Foreign<Returned, State> & string} is not in the state`,
  ): Aggregate<Name, State, Kinds | Kind, Cmds>
  /** Declares a kind of event that does not change the state. */
  on<Kind extends AnyEventKind>(kind: Kind): Aggregate<Name, State, Kinds | Kind, Cmds>

  /** Sets how a command is decided: synchronously, from the state and the checked input only. */
  command<const CommandName extends string, S extends AnySchema, const V extends Verdict<Kinds>>(
    name: CommandName,
    schema: S,
    decide: (state: State, input: Out<S>, moment: Moment) => V,
  ): Aggregate<Name, State, Kinds, Cmds & { readonly [K in CommandName]: Command<In<S>, Extract<V, AnyRejection>> }>

  /** The state before the first event. */
  initial(): State
  /**
   * The state after an event. An event without `.on` does not change it.
   *
   * @throws DefinitionError `PERSONAL_READ` if it reads a personal value, as in a running domain; what `.on` throws
   */
  evolve(state: State, event: EventOf<Kinds>): State
  /** Decides a command. The input is already checked: it is the schema's output. */
  decide(state: State, command: string, input: unknown, moment: Moment): Verdict<Kinds>
}

export type AnyAggregate = Aggregate<string, any, any, any>
export type StateOf<A extends AnyAggregate> = A[typeof types]['state']
export type KindsOf<A extends AnyAggregate> = A[typeof types]['kinds']
export type CommandsOf<A extends AnyAggregate> = A[typeof types]['commands']
/** All events of some aggregates. */
export type EventsOf<A> = A extends AnyAggregate ? EventOf<KindsOf<A>> : never

/**
 * Begins the definition of an aggregate.
 *
 *     aggregate('account', (): State => ({ balance: 0 }))
 *       .on(Deposited, (account, { amount }) => ({ balance: account.balance + amount }))
 *       .command('deposit', z.object({ amount: z.int() }), (_, { amount }) => Deposited({ amount }))
 *
 * @throws DefinitionError, InputError on a name or an option that cannot work
 */
export function aggregate<const Name extends string, State>(
  name: Name,
  initial: () => State,
  options: AggregateOptions = {},
): Aggregate<Name, State, never, {}> {
  checkId('the name of an aggregate', name)
  checkKeys(`aggregate(${JSON.stringify(name)}, initial, options)`, options, aggregateOptions)
  checkAggregateOptions(options)
  if (typeof initial !== 'function') invalid(name, 'its initial state must be a function')
  return build(name, initial, options, new Map(), new Map())
}

/** Names that no command can have: a handle uses them itself, or every object has them. */
const reserved: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  ...[
    'try',
    'state',
    'read',
    'history',
    'events',
    'id',
    'stream',
    'then',
    'toJSON',
    'prototype',
    'dispatch',
    'snapshot',
  ],
])

function build(
  name: string,
  initial: () => any,
  options: AggregateOptions,
  folds: ReadonlyMap<string, Fold>,
  decisions: ReadonlyMap<string, Decision>,
): any {
  return Object.freeze({
    name,
    options: Object.freeze({ ...options }),
    folds,
    decisions,
    initial,
    on(kind: AnyEventKind, evolve: Fold['evolve'] = (state) => state) {
      const same = folds.get(kind.type)?.kind.family
      if (same !== undefined)
        invalid(name, `it has two ${same === kind.family ? '.on for' : 'kinds of'} the event ${kind.type}`)
      return build(name, initial, options, new Map(folds).set(kind.type, { kind, evolve }), decisions)
    },
    command(command: string, schema: Schema, decide: Decision['decide']) {
      checkId('the name of a command', command)
      if (reserved.has(command)) {
        throw new DefinitionError('NAME_RESERVED', { where: `A command of ${name}`, name: command })
      }
      if (decisions.has(command)) invalid(name, `it has two commands named ${command}`)
      if (!isSchema(schema)) invalid(name, `the schema of ${command} does not implement Standard Schema`)
      if (typeof decide !== 'function') invalid(name, `${command} has no decide function`)
      return build(name, initial, options, folds, new Map(decisions).set(command, { schema, decide }))
    },
    evolve: (state: unknown, event: NewEvent) => {
      const fold = folds.get(event.type)
      return fold === undefined ? state : carrying(() => fold.evolve(state, event.data, event))
    },
    decide(state: unknown, command: string, input: unknown, moment: Moment) {
      const decision = decisions.get(command)
      return decision === undefined
        ? invalid(name, `it has no command ${command}`)
        : decision.decide(state, input, moment)
    },
  })
}

/**
 * Refuses options with values that make no sense.
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function checkAggregateOptions(options: AggregateOptions): void {
  for (const option of aggregateOptions) {
    const found = options[option]
    if (option !== 'passivateAfterMs' || found !== Infinity) checkWhole(option, found, 1)
  }
}

function invalid(aggregate: string, reason: string): never {
  throw new DefinitionError('DEFINITION_INVALID', { where: `The aggregate ${aggregate}`, reason })
}
