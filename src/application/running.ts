/** What a started domain looks like to its user: the types that turn definitions into methods. */
import type { Aggregate, AnyAggregate, Commands } from '../domain/aggregate.ts'
import type { AnyCodeProjection, CodeProjection } from '../domain/code-projection.ts'
import type { AcceptedBy, CommandOf, CommandOptions, MayBeLeftOut, RejectedBy } from '../domain/command.ts'
import type { EventOf } from '../domain/event.ts'
import type { Accepted, Rejected } from '../domain/outcome.ts'
import type { AnyProjection, Projection } from '../domain/projection.ts'
import type { AnyReaction } from '../domain/reaction.ts'
import type { RetryResult } from '../projection/checkpoint/step.ts'
import type { SubscriptionOptions } from '../projection/log/subscription.ts'
import type { Found, Query } from '../projection/reading/find.ts'
import type { RowComparison } from '../projection/rebuilding/compare-rows.ts'
import type { CompareOptions } from '../projection/rebuilding/rebuild.ts'
import type { Job, Progress, ProgressOptions } from '../projection/running/progress.ts'
import type { ProjectionStatus, RunResult, WaitOptions } from '../projection/running/status.ts'
import type { ParkedEvent } from '../projection/stored/parked-events.ts'
import type { LogPlace } from '../store/store.ts'

/** Arguments of a command: its data (optional where an empty record would do, or none), then options. */
export type CommandArgs<Data> =
  MayBeLeftOut<Data> extends true ? [data?: Data, options?: CommandOptions] : [data: Data, options?: CommandOptions]

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
          ) => Promise<Accepted<State, Kinds> | Rejected<C[K]['rejection']>>
        }
        /** The state as it is, or as it was. A place behind the end means the end. */
        state(at?: At): Promise<State>
        /** The stream's events, oldest first, upcast to their newest shape. */
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
    : P extends CodeProjection<string, any>
      ? CodeModel
      : never

/** A projection as code: its tables are its own, so they are read without Mneme. */
export interface CodeModel {
  /**
   * Waits until it has handled a position: then your own write is in the tables.
   *
   * @throws ProjectionError `PROJECTION_BEHIND`, `PROJECTION_FAILED`
   */
  reached(wait: WaitOptions): Promise<void>
}

/** A projection that is one state. */
export interface StateModel<State> {
  /**
   * The state, the initial one before the first event; with `atLeast` as soon as the projection has handled that
   * position.
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
   * Rows with their keys: those whose fields are as wanted, in an order. The store leaves out what it can tell; without
   * `where` all rows of the projection are read.
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

/** Where a projection or reaction begins again. */
export interface ResetOptions {
  /** The first position to handle: 1 handles all of the log again. */
  readonly from: number
  /**
   * Keeps what belongs to events before `from`: states, rows, scheduled commands, and what is parked. Nothing by
   * default.
   */
  readonly keep?: boolean
}

/** How a projection is built again. */
export interface RebuildOptions {
  /** Cancels it: the rows that serve stay as they are. */
  readonly signal?: AbortSignal
}

/**
 * The projections or reactions of a running domain, by their names in `domain({ projections, reactions })`. Across
 * processes one of each runs, kept apart by a lease; the others stand by.
 *
 * @throws ProjectionError `PROJECTION_UNKNOWN` from each
 */
export interface Managed<Name extends PropertyKey> {
  /** Follows the log from the checkpoint on. Started twice it is the same run; one that failed begins again. */
  start(name: Name, at?: StartAt): Promise<ProjectionStatus>
  /** Ends the run after the step under way and gives the lease back. Ending one that is not started does nothing. */
  stop(name: Name): Promise<void>
  /** The status of a projection that is started and neither stopped nor failed. */
  lookup(name: Name): Promise<ProjectionStatus | undefined>
  /** Handles nothing until `resume`, and keeps the lease so that no other process does. Rows can be read. */
  pause(name: Name): Promise<void>
  resume(name: Name): Promise<void>
  /** What it does, where it stands, how far it is behind, what is parked, and why it has failed. */
  status(name: Name): Promise<ProjectionStatus>
  /**
   * Handles what is in the log now. For domains started with `projections: 'manual'`. While another process does so it
   * is waited for.
   *
   * @throws ProjectionError `PROJECTION_FAILED`; `PROJECTION_ELSEWHERE` if another process leads and comes no further
   *   for longer than `leaseMs`
   */
  runOnce(name: Name): Promise<RunResult>
  /**
   * How far it is, how fast, and how long the rest will take, again and again until it has caught up.
   *
   *     for await (const { done, perSecond, remainingMs } of bank.projections.progress('balances')) ...
   *
   * @throws ProjectionError why it has failed: then it does not catch up any more; the signal's reason
   */
  progress(name: Name, options?: ProgressOptions): AsyncIterable<Progress>
  /** What is parked, in the order of the log. */
  parked(name: Name): Promise<readonly ParkedEvent[]>
  /**
   * Tries again what is parked, in the order of the log. What fails stays parked, and so does what queues behind it.
   *
   * @throws ProjectionError `PROJECTION_ELSEWHERE` in a process that does not run it while another does
   */
  retryParked(name: Name): Promise<RetryResult>
  /**
   * Drops the event that is parked at a position, for good. Events that wait behind it are handled by the next
   * `retryParked`.
   *
   * @throws ProjectionError `PARKED_UNKNOWN`, `PROJECTION_ELSEWHERE`
   */
  skipParked(name: Name, position: number): Promise<void>
  /**
   * Begins at a position again, wherever that is, and forgets what is stored beside the checkpoint: for a log that was
   * replaced by an older copy, where nothing else can tell what is still true. Then `start` it. Rows are better built
   * again by `rebuild`, which lets the old ones serve.
   *
   *     await bank.reactions.reset('welcome', { from: head + 1, keep: true })
   *
   * @throws ProjectionError `PROJECTION_ELSEWHERE`; DefinitionError `OPTION_INVALID` if the log does not reach to the
   *   position before
   */
  reset(name: Name, options: ResetOptions): Promise<void>
}

/** Projections, whose rows can also be built again. */
export interface Projections<Name extends PropertyKey> extends Managed<Name> {
  /**
   * Builds all rows again from the whole log, beside those that serve, then lets the new ones serve in one step. Await
   * it, or iterate its progress. Cancelled, failed or killed, it leaves the rows that serve as they are.
   *
   *     for await (const { done, remainingMs } of bank.projections.rebuild('balances')) ...
   *
   * @throws ProjectionError `REBUILD_RUNNING`, `REBUILD_IMPOSSIBLE` (of a projection as code), `PROJECTION_FAILED`; the
   *   signal's reason
   */
  rebuild(name: Name, options?: RebuildOptions): Job<RunResult>
  /**
   * Builds all rows again up to where those that serve are, and says which rows differ; then forgets what it built.
   *
   * @throws ProjectionError as `rebuild`; the signal's reason
   */
  compare(name: Name, options?: CompareOptions): Job<RowComparison>
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
    dispatch<const C extends CommandOf<A>>(command: C): Promise<AcceptedBy<A, C> | RejectedBy<A, C>>
  }
  readonly projections: Projections<keyof P>
  /** Managed like projections. */
  readonly reactions: Managed<keyof R>
  /**
   * The log from a position on, then live: each event once, in order. It ends with the signal's reason, or when the
   * domain stops. While it is waited for, the process is kept alive.
   *
   *     for await (const event of bank.events({ from: lastHandled + 1, types: ['MoneyDeposited'], signal })) ...
   *
   * Each event is a place to go on behind later: `events({ after: lastHandled })`.
   *
   * @throws DefinitionError `OPTION_INVALID`; while iterating StoreError `LOG_REPLACED` if the log does not hold what
   *   was read before
   */
  events<Type extends EventsOf<A[keyof A]>['type']>(
    options?: EventsOptions<Type>,
  ): AsyncIterable<Extract<EventsOf<A[keyof A]>, { readonly type: Type }> & Required<LogPlace>>
  /** How much is in memory and under way. */
  load(): Load
  /** Refuses new commands, answers those under way, saves what is due, and closes the stores. Also `await using`. */
  stop(): Promise<void>
} & AsyncDisposable

export type Aggregates = Record<string, AnyAggregate>
export type ProjectionsByName = Record<string, AnyProjection | AnyCodeProjection>
export type ReactionsByName = Record<string, AnyReaction>

/** The name under which a reaction's checkpoint and timers are stored. */
export const reactionStorageName = ({ name }: AnyReaction): string => `reaction ${name}`
