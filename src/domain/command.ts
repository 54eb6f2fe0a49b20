/** The types of commands as plain data, and of their answers. */
import type { Aggregate, Commands } from './aggregate.ts'
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

/** The commands of some aggregates, as plain data. */
export type CommandOf<A> = {
  [K in keyof A]: A[K] extends Aggregate<infer Name, any, any, infer C extends Commands>
    ? {
        [N in keyof C & string]: {
          readonly aggregate: Name
          readonly id: string
          readonly name: N
        } & CommandOptions &
          (MayBeLeftOut<C[N]['input']> extends true
            ? { readonly data?: C[N]['input'] }
            : { readonly data: C[N]['input'] })
      }[keyof C & string]
    : never
}[keyof A]

type StateOf<A, Name> =
  A extends Aggregate<infer N, infer State, infer Kinds, any>
    ? N extends Name
      ? Accepted<State, Kinds>
      : never
    : never
type RejectionOf<A, Name, CommandName> =
  A extends Aggregate<infer N, any, any, infer C extends Commands>
    ? N extends Name
      ? CommandName extends keyof C
        ? Rejected<C[CommandName]['rejection']>
        : never
      : never
    : never

/** The answer to a command that is accepted. */
export type AcceptedBy<A, C> = C extends { readonly aggregate: infer Name } ? StateOf<A[keyof A], Name> : never
/** The answer to a command that is rejected. */
export type RejectedBy<A, C> = C extends { readonly aggregate: infer Name; readonly name: infer CommandName }
  ? RejectionOf<A[keyof A], Name, CommandName>
  : never
