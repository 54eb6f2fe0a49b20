/** Commands as plain data, with their types: what can be said to which aggregate, and what it answers. */
import type { Aggregate, Commands } from './aggregate.ts'
import type { Accepted, Rejected } from './outcome.ts'

/** What may be said about a command besides its data. */
export interface CommandOptions {
  /** Makes the command exactly-once: a repetition with the same id has no effect and gets the stored answer. */
  readonly commandId?: string
  /** Kept with every event of the command: who, why, on behalf of what. JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** Tags that every event of the command gets; the log can be filtered by them. */
  readonly tags?: readonly string[]
  /** Ends the wait: with `ABORTED` if nothing was decided yet, else with `OUTCOME_UNKNOWN`. */
  readonly signal?: AbortSignal
}

/** Whether data may be left out of a command: where an empty record would do, or none at all. */
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

/** What dispatching a command answers if it is accepted. */
export type AcceptedBy<A, C> = C extends { readonly aggregate: infer Name } ? StateOf<A[keyof A], Name> : never
/** What dispatching a command answers if it is rejected. */
export type RejectedBy<A, C> = C extends { readonly aggregate: infer Name; readonly name: infer CommandName }
  ? RejectionOf<A[keyof A], Name, CommandName>
  : never
