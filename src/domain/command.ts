/** The types of commands as plain data, and of their answers. */
import type { AnyAggregate, Commands, CommandsOf, EventsOf, StateOf } from './aggregate.ts'
import type { Accepted, Rejected } from './outcome.ts'

/** The options of a command. */
export interface CommandOptions {
  /** Makes the command exactly-once: a repetition with the same id has no effect and gets the stored answer. */
  readonly commandId?: string | undefined
  /**
   * The sequence at which the aggregate must be: 0 if it must have no events. Otherwise the command fails with
   * `SEQUENCE_UNEXPECTED`, and is not decided. A repetition of a stored command gets the stored answer, whatever it
   * expects.
   */
  readonly expectedSequence?: number | undefined
  /** Stored with every event of the command, as JSON: for instance who sent it, and why. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** Tags that every event of the command gets; the log can be filtered by them. */
  readonly tags?: readonly string[]
  /** Ends the wait: with `ABORTED` if the command was not decided yet, otherwise with `OUTCOME_UNKNOWN`. */
  readonly signal?: AbortSignal
}

/** Whether the data of a command may be left out: if an empty record or `undefined` is accepted. */
export type MayBeLeftOut<Data> = {} extends Data ? true : undefined extends Data ? true : false

/** A command as plain data. */
export interface CommandTo<Name, CommandName, Data> extends CommandOptions {
  /** The name of the aggregate, as in its definition. */
  readonly aggregate: Name
  readonly id: string
  readonly name: CommandName
  readonly data: Data
}

/** A command as plain data that may be left out. */
export interface CommandWithoutData<Name, CommandName, Data> extends CommandOptions {
  readonly aggregate: Name
  readonly id: string
  readonly name: CommandName
  readonly data?: Data
}

/** Some aggregates by the names of their definitions, instead of by the keys that a domain gives them. */
type ByName<A> = { readonly [K in keyof A as A[K] extends AnyAggregate ? A[K]['name'] : never]: A[K] }
type CommandsIn<One> = One extends AnyAggregate ? CommandsOf<One> : never
/** The names of some aggregates. */
export type NameIn<A> = keyof ByName<A> & string
/** The names of an aggregate's commands. */
export type CommandNameIn<A, Name> = Name extends keyof ByName<A> ? keyof CommandsIn<ByName<A>[Name]> & string : never

/** One command as plain data, by the names of its aggregate and itself. If they are unions, so is this. */
export type CommandBy<A, Name, CommandName> = Name extends keyof ByName<A>
  ? CommandIn<Name, CommandsIn<ByName<A>[Name]>, CommandName>
  : never
type CommandIn<Name, C extends Commands, CommandName> = CommandName extends keyof C
  ? MayBeLeftOut<C[CommandName]['input']> extends true
    ? CommandWithoutData<Name, CommandName, C[CommandName]['input']>
    : CommandTo<Name, CommandName, C[CommandName]['input']>
  : never

/** The names in a command, from which the compiler infers which command it is. */
export interface Named<Name, CommandName> {
  readonly aggregate: Name
  readonly name: CommandName
}

/** The commands of some aggregates, as plain data. */
export type CommandOf<A> = {
  [Name in keyof ByName<A>]: CommandIn<Name, CommandsIn<ByName<A>[Name]>, keyof CommandsIn<ByName<A>[Name]> & string>
}[keyof ByName<A>]

/** The answer to a command that is accepted, by the name of its aggregate. */
export type AcceptedBy<A, Name> = Name extends keyof ByName<A>
  ? ByName<A>[Name] extends AnyAggregate
    ? Accepted<StateOf<ByName<A>[Name]>, EventsOf<ByName<A>[Name]>>
    : never
  : never
/** The answer to a command that is rejected, by the names of its aggregate and itself. */
export type RejectedBy<A, Name, CommandName> = Name extends keyof ByName<A>
  ? RejectionIn<CommandsIn<ByName<A>[Name]>, CommandName>
  : never
type RejectionIn<C extends Commands, CommandName> = CommandName extends keyof C
  ? Rejected<C[CommandName]['rejection']>
  : never
