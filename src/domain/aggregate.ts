/**
 * An aggregate as a chain of pure functions: how its events change its state, and how its commands are decided. Each
 * call returns a new definition, so the types grow with it and nothing is registered anywhere.
 */
import { DefinitionError } from './error.ts'
import type { AnyEventKind, DataOf, EventOf, NewEvent, NewEventOf } from './event.ts'
import { checkId } from './id.ts'
import type { JsonObject } from './json.ts'
import { checkKeys, checkWhole } from './options.ts'
import type { AnyRejection } from './rejection.ts'
import { type In, isSchema, type Out, type Schema } from './schema.ts'

/** What a decision may know besides state and input, so that it stays a pure function. */
export interface Moment {
  /** The time that the decision's events will carry. */
  readonly now: Date
  /** A new unique id. */
  newId(): string
  /** The id of the command: the caller's, or one that was made for it. The command's events carry it. */
  readonly commandId: string
  /** What the caller has said about the command: who, why, on behalf of what. Empty if nothing. */
  readonly metadata: JsonObject
  /** The tags of the command. */
  readonly tags: readonly string[]
}

/** What a decision may answer: one fact, several, none, or a reason why not. */
export type Verdict<Kinds> = NewEventOf<Kinds> | readonly NewEventOf<Kinds>[] | AnyRejection | undefined

/** A command's types: what goes in, and how it may be rejected. */
export interface Command<Input, Rejected> {
  readonly input: Input
  readonly rejection: Rejected
}
export type Commands = Record<string, Command<any, any>>

/** The property that `on` returns but the state does not have: shown in the compiler's message. */
export type Foreign<Returned, State> = Exclude<
  Returned extends unknown ? keyof Returned : never,
  State extends unknown ? keyof State : never
>

/** How one aggregate is run. Each has a default at `start`. */
export interface AggregateOptions {
  /** A snapshot is taken when the sequence reaches or jumps over a multiple of this. None by default. */
  readonly snapshotEvery?: number
  /** Raise it when the state's shape changes: snapshots of another revision are ignored. 1 by default. */
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

/** A definition of an aggregate: immutable, free of I/O, and callable as plain functions. */
export interface Aggregate<Name extends string, State, Kinds, Cmds> {
  readonly name: Name
  readonly options: AggregateOptions
  readonly folds: ReadonlyMap<string, Fold>
  readonly decisions: ReadonlyMap<string, Decision>

  /** Says how a kind of event changes the state. */
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
  /** Declares a kind of event that leaves the state as it is. */
  on<Kind extends AnyEventKind>(kind: Kind): Aggregate<Name, State, Kinds | Kind, Cmds>

  /** Says how a command is decided: synchronously, from the state and the checked input alone. */
  command<const CommandName extends string, S extends Schema, const V extends Verdict<Kinds>>(
    name: CommandName,
    schema: S,
    decide: (state: State, input: Out<S>, moment: Moment) => V,
  ): Aggregate<Name, State, Kinds, Cmds & { readonly [K in CommandName]: Command<In<S>, Extract<V, AnyRejection>> }>

  /** The state before the first event. */
  initial(): State
  /** The state after an event. An event without `.on` leaves it as it is. */
  evolve(state: State, event: EventOf<Kinds>): State
  /** The verdict on a command whose input is checked already (the schema's output). */
  decide(state: State, command: string, input: unknown, moment: Moment): Verdict<Kinds>
}

export type AnyAggregate = Aggregate<string, any, any, any>

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

/** The words that a handle uses itself, or that every object has: no command can have them. */
const reserved: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  ...['try', 'state', 'history', 'id', 'stream', 'then', 'toJSON', 'prototype', 'dispatch', 'snapshot'],
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
      if (!isSchema(schema)) invalid(name, `the schema of ${command} does not speak Standard Schema`)
      if (typeof decide !== 'function') invalid(name, `${command} has no decide function`)
      return build(name, initial, options, folds, new Map(decisions).set(command, { schema, decide }))
    },
    evolve: (state: unknown, event: NewEvent) => {
      const fold = folds.get(event.type)
      return fold === undefined ? state : fold.evolve(state, event.data, event)
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
 * Refuses options that make no sense, with the option's name.
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
