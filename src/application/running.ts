/** What a started domain looks like to its user: the types that turn definitions into methods. */
import type { Aggregate, AnyAggregate, Commands } from '../domain/aggregate.ts'
import type { AcceptedBy, CommandOf, CommandOptions, RefusedBy } from '../domain/command.ts'
import type { EventOf } from '../domain/event.ts'
import type { Accepted, Refused } from '../domain/outcome.ts'
import type { AnyProjection, Projection } from '../domain/projection.ts'
import type { AnyReaction } from '../domain/reaction.ts'
import type { Found, Query } from '../projection/find.ts'
import type { ProjectionStatus, RunResult, WaitOptions } from '../projection/runner.ts'
import type { SubscriptionOptions } from '../projection/subscription.ts'

/** Arguments of a command: its data (optional where an empty object would do), then options. */
export type CommandArgs<Data> = {} extends Data
  ? [data?: Data, options?: CommandOptions]
  : [data: Data, options?: CommandOptions]

/** A point in a stream's history: the state after this event, or as it was at this time. */
export interface At {
  readonly sequence?: number
  readonly time?: Date
}

export interface HistoryOptions {
  /** The first sequence wanted, 1 by default. */
  readonly from?: number
  readonly signal?: AbortSignal
}

/** One aggregate instance: its commands as methods. A handle costs nothing and holds nothing. */
export type Handle<A> =
  A extends Aggregate<string, infer State, infer Kinds, infer C extends Commands>
    ? { readonly [K in keyof C]: (...args: CommandArgs<C[K]['input']>) => Promise<Accepted<State, Kinds>> } & {
        readonly id: string
        /** The same commands, answering with the rejection instead of throwing it. */
        readonly try: {
          readonly [K in keyof C]: (
            ...args: CommandArgs<C[K]['input']>
          ) => Promise<Accepted<State, Kinds> | Refused<C[K]['rejection']>>
        }
        /** The state as it is, or as it was. A place behind the end means the end. */
        state(at?: At): Promise<State>
        /** The stream's events, oldest first, lifted to their newest shape. */
        history(options?: HistoryOptions): AsyncIterable<EventOf<Kinds>>
      }
    : never

/** Every event that some aggregates can have. */
export type EventsOf<A> = A extends Aggregate<string, any, infer Kinds, any> ? EventOf<Kinds> : never

/** Where a subscription starts and what it gives. */
export interface EventsOptions<Type extends string> extends Omit<SubscriptionOptions, 'types'> {
  /** Only events of these types. */
  readonly types?: readonly Type[]
}

/** The rows of a projection by key, or its one state. */
export type ReadModel<P> =
  P extends Projection<string, infer Row, any, infer Shape>
    ? Shape extends 'state'
      ? StateModel<Row>
      : RowsModel<Row>
    : never

/** A projection that is one state. */
export interface StateModel<State> {
  /**
   * The state, the initial one before the first event; with `atLeast` as soon as the projection has handled that position.
   *
   * @throws ProjectionError `PROJECTION_BEHIND`, `PROJECTION_FAILED`
   */
  state(wait?: WaitOptions): Promise<State>
}

/** A projection that is rows. */
export interface RowsModel<Row> {
  /**
   * The row with this key, if there is one; with `atLeast` as soon as the projection has handled that position.
   *
   * @throws ProjectionError `PROJECTION_BEHIND`, `PROJECTION_FAILED`
   */
  get(key: string, wait?: WaitOptions): Promise<Row | undefined>
  /**
   * Rows with their keys: those whose fields are as wanted, in an order. It reads all rows of the projection.
   *
   *     await bank.balances.find({ where: { balance: { gte: 100 } }, orderBy: 'balance', direction: 'descending', limit: 10 })
   *
   * @throws DefinitionError `OPTION_INVALID`; ProjectionError as `get`
   */
  find(query?: Query<Row>, wait?: WaitOptions): Promise<readonly Found<Row>[]>
}

/** Where a projection begins that has no checkpoint yet. */
export interface StartAt {
  /** The first position to handle, 1 by default. */
  readonly from?: number
}

/**
 * The projections of a running domain, by their names in `domain({ projections })`. Across processes one of each runs, kept apart by a
 * lease; the others stand by.
 *
 * @throws ProjectionError `PROJECTION_UNKNOWN` from each
 */
export interface Projections<Name extends PropertyKey> {
  /** Follows the log from the checkpoint on. Started twice it is the same run; one that failed begins again. */
  start(name: Name, at?: StartAt): Promise<ProjectionStatus>
  /** Ends the run after the step under way and gives the lease back. Ending one that is not started does nothing. */
  stop(name: Name): Promise<void>
  /** The status of a projection that is started and neither stopped nor failed. */
  lookup(name: Name): Promise<ProjectionStatus | undefined>
  /** Handles nothing until `resume`, and keeps the lease so that no other process does. Rows can be read. */
  pause(name: Name): Promise<void>
  resume(name: Name): Promise<void>
  /** What it does, where it stands, how far it is behind, and why it has failed. */
  status(name: Name): Promise<ProjectionStatus>
  /**
   * Handles what is in the log now. For domains started with `projections: 'manual'`.
   *
   * @throws ProjectionError `PROJECTION_FAILED`
   */
  runOnce(name: Name): Promise<RunResult>
}

/** How busy a domain is. */
export interface Load {
  readonly liveAggregates: number
  readonly commandsInFlight: number
}

/** A domain that runs on a store. */
export type Running<A, P, R = {}> = { readonly [K in keyof A]: (id: string) => Handle<A[K]> } & {
  readonly [K in keyof P]: ReadModel<P[K]>
} & {
  /**
   * Handles a command given as data.
   *
   * @throws CommandRejected on a business "no", InputError on a command that is none
   */
  dispatch<const C extends CommandOf<A>>(command: C): Promise<AcceptedBy<A, C>>
  readonly try: {
    /** The same, answering with the rejection instead of throwing it. */
    dispatch<const C extends CommandOf<A>>(command: C): Promise<AcceptedBy<A, C> | RefusedBy<A, C>>
  }
  readonly projections: Projections<keyof P>
  /** Managed like projections. */
  readonly reactions: Projections<keyof R>
  /**
   * The log from a position on, then live: each event once, in order. It ends with the signal's reason, or when the domain stops.
   *
   *     for await (const event of bank.events({ from: lastHandled + 1, types: ['MoneyDeposited'], signal })) ...
   *
   * @throws DefinitionError `OPTION_INVALID`
   */
  events<Type extends EventsOf<A[keyof A]>['type']>(
    options?: EventsOptions<Type>,
  ): AsyncIterable<Extract<EventsOf<A[keyof A]>, { readonly type: Type }>>
  /** How much is in memory and under way. */
  load(): Load
  /** Refuses new commands, answers those under way, saves what is due, and closes the stores. Also `await using`. */
  stop(): Promise<void>
} & AsyncDisposable

export type Aggregates = Record<string, AnyAggregate>
export type ProjectionsByName = Record<string, AnyProjection>
export type ReactionsByName = Record<string, AnyReaction>

/** The name under which a reaction's checkpoint and timers are stored. */
export const reactionStorageName = ({ name }: AnyReaction): string => `reaction ${name}`
