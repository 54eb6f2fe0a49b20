/** The types of a running domain, made from the types of its definitions. */
import type { ClusterStatus } from '../cluster/status.ts'
import type { AnyAggregate, CommandsOf, EventsOf, StateOf } from '../domain/aggregate.ts'
import type { AnyCodeProjection } from '../domain/code-projection.ts'
import type {
  AcceptedBy,
  CommandBy,
  CommandNameIn,
  CommandOf,
  CommandOptions,
  MayBeLeftOut,
  Named,
  NameIn,
  RejectedBy,
} from '../domain/command.ts'
import type { Accepted, Rejected } from '../domain/outcome.ts'
import type { AnyProjection } from '../domain/projection.ts'
import type { AnyReaction } from '../domain/reaction.ts'
import type { RetryOptions, RetryResult } from '../projection/checkpoint/step.ts'
import type { StreamSubscriptionOptions } from '../projection/log/stream-subscription.ts'
import type { SubscriptionOptions } from '../projection/log/subscription.ts'
import type { TimersOptions, TimersPage } from '../projection/reactions/scheduled-commands.ts'
import type { WaitingOptions, WaitingPage } from '../projection/reactions/waiting.ts'
import type { RowComparison } from '../projection/rebuilding/compare-rows.ts'
import type { CompareOptions } from '../projection/rebuilding/rebuild.ts'
import type { Job, ProgressOptions, ProgressWatch } from '../projection/running/progress.ts'
import type { ProjectionStatus, RunResult } from '../projection/running/status.ts'
import type { ParkedEvent } from '../projection/stored/parked-events.ts'
import type { LogPlace } from '../store/store.ts'
import type { StreamList } from '../store/stream-list.ts'
import type { Erasure } from './erasure.ts'
import type { ReadModel } from './read-models.ts'

/** A singleton of this process. */
export interface SingletonHandle {
  /** Whether its work is done in this process now. */
  readonly isHere: boolean
  /** Ends the work, if it is done here, and does not begin it again here. Other processes may go on. */
  stop(): Promise<void>
}

/** What this process knows of its cluster. Without a cluster, it is the only member. */
export interface ClusterInfo {
  /**
   * Does work in one process at a time, of all on this store that call it with the same name. The process holds a lease
   * of the store. If it stops or ends, another one does the work, at the latest after `leaseMs`.
   *
   *     bank.cluster.singleton('statements', async (signal) => {
   *       while (!signal.aborted) await sendNextStatement()
   *     })
   *
   * The signal is aborted when this process stops, or before it loses the lease; then the work should end. Work that
   * returns before is called again after a second, and so is work that fails (warning `SINGLETON_FAILED`). A process
   * that stands still for longer than `leaseMs` may go on for a moment when it wakes up. So let the work send commands
   * with a `commandId`, or do what may be done twice.
   *
   * @throws DefinitionError `OPTION_INVALID`, `DEFINITION_INVALID` if the name is taken; CancelledError `STOPPED`
   */
  singleton(name: string, work: (signal: AbortSignal) => unknown): SingletonHandle
  status(): ClusterStatus
  /** The status now, and after each change of the members. It ends when this process stops. */
  changes(): AsyncIterable<ClusterStatus>
}

/** The arguments of a command: its data (optional if an empty record or `undefined` is accepted), then options. */
export type CommandArgs<Data> =
  MayBeLeftOut<Data> extends true ? [data?: Data, options?: CommandOptions] : [data: Data, options?: CommandOptions]

/** A point in the history of a stream: after the event with this sequence, or at this time. */
export interface At {
  readonly sequence?: number
  readonly time?: Date
}

/** A state, and where it is. */
export interface Reading<State> {
  readonly state: State
  /** The sequence of the last event that the state contains; 0 if there is none. */
  readonly sequence: number
  /** The position of that event in the log; 0 if there is none. */
  readonly position: number
}

export interface HistoryOptions {
  /** The first sequence to read. 1 by default. */
  readonly from?: number
  /** Only events before this sequence. No bound by default. */
  readonly to?: number
  /** 'forward' (the default), or 'backward', newest first. */
  readonly direction?: 'forward' | 'backward'
  /** The greatest number of events. No bound by default. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

/** One aggregate instance, with its commands as methods. A handle is cheap and holds no resources. */
export type Handle<A> = A extends AnyAggregate
  ? {
      readonly [K in keyof CommandsOf<A>]: (
        ...args: CommandArgs<CommandsOf<A>[K]['input']>
      ) => Promise<Accepted<StateOf<A>, EventsOf<A>>>
    } & {
      readonly id: string
      /** The same commands, but they return a rejection instead of throwing it. */
      readonly try: {
        readonly [K in keyof CommandsOf<A>]: (
          ...args: CommandArgs<CommandsOf<A>[K]['input']>
        ) => Promise<Accepted<StateOf<A>, EventsOf<A>> | Rejected<CommandsOf<A>[K]['rejection']>>
      }
      /** The newest state, or an earlier one. A point after the end means the end. */
      state(at?: At): Promise<StateOf<A>>
      /**
       * The same state, and where it is. A command that gives this `sequence` as its `expectedSequence` is decided on
       * this state, or not at all.
       */
      read(at?: At): Promise<Reading<StateOf<A>>>
      /** The events of the stream, upcast to their newest revision. By default all of them, oldest first. */
      history(options?: HistoryOptions): AsyncIterable<EventsOf<A>>
      /**
       * The events of the stream from a sequence on, then the new ones: each once, in order. It ends when the domain
       * stops, or throws the signal's reason. Waiting for events keeps the process alive.
       *
       *     for await (const event of bank.account('ada').events({ from: lastSequence + 1, signal })) ...
       *
       * @throws DefinitionError `OPTION_INVALID`. While iterating: EventError `EVENT_UNREADABLE`; StoreError
       *   `LOG_REPLACED` if the stream does not contain what was read before
       */
      events(options?: StreamSubscriptionOptions): AsyncIterable<EventsOf<A> & Required<LogPlace>>
    }
  : never

/** Which instances to list. */
export interface IdsOptions {
  /** Only instances after this id. There need not be such an instance. */
  readonly after?: string | undefined
  /** The greatest number of ids, 1,000 by default. No page has more than 10,000. */
  readonly limit?: number
}

/** All instances of an aggregate: `bank.account('ada')` is one of them. */
export interface Instances<A> {
  (id: string): Handle<A>
  /**
   * The ids of instances that have events, in an order of the store's own, in which ids of ASCII characters are in the
   * order of their bytes. `next` is the id after which the next page begins; it is absent if there is none.
   *
   *     const { ids, next } = await bank.account.ids({ after: last, limit: 20 })
   */
  ids(options?: IdsOptions): Promise<StreamList>
  /** The newest states of several instances, in the order of the ids, each as `read` returns it. */
  states(ids: readonly string[]): Promise<readonly Reading<A extends AnyAggregate ? StateOf<A> : never>[]>
  /** How many events several instances have, in the order of the ids: their newest sequences. Nothing is loaded. */
  sequences(ids: readonly string[]): Promise<readonly number[]>
}

/** Where a subscription starts, and which events it gives. */
export interface EventsOptions<Type extends string> extends Omit<SubscriptionOptions, 'types'> {
  /** Only events of these types. */
  readonly types?: readonly Type[]
}

/** Where a projection without a checkpoint begins. */
export interface StartAt {
  /** The first position to handle. 1 by default. */
  readonly from?: number
}

/** Where a projection or reaction continues after a reset. */
export interface ResetOptions {
  /** The first position to handle. 1 handles the whole log again. */
  readonly from: number
  /**
   * Whether to keep the stored data of events before `from`: states, rows, scheduled commands and parked events.
   * `false` by default.
   */
  readonly keep?: boolean
}

/** Options of `rebuild`. */
export interface RebuildOptions {
  /** Cancels the rebuild. The live rows stay unchanged. */
  readonly signal?: AbortSignal
}

/**
 * Manages the projections or reactions of a running domain, by their names in `domain({ projections, reactions })`. If
 * several processes run the domain, a lease lets one of them run each projection, and the others stand by.
 *
 * @throws ProjectionError `PROJECTION_UNKNOWN` from each method; CancelledError `STOPPED` from `start`
 */
export interface Managed<Name extends PropertyKey> {
  /** All names, in the order in which they were declared. */
  readonly names: readonly (Name & string)[]
  /**
   * Starts to follow the log from the checkpoint on, again if it has failed or is being stopped. Twice changes nothing.
   */
  start(name: Name, at?: StartAt): Promise<ProjectionStatus>
  /** Stops after the current step, and gives the lease back. Does nothing if it is not started. */
  stop(name: Name): Promise<void>
  /** The status, if it is started and neither stopped nor failed. */
  lookup(name: Name): Promise<ProjectionStatus | undefined>
  /**
   * Lets no process handle events until `resume`, whichever calls it, also after restarts. What this process has begun
   * is finished and saved. In another process it is given up, as when it is taken over; there, nothing is saved once
   * this has returned. Rows can still be read. Parked events can be retried and skipped in any process meanwhile.
   */
  pause(name: Name): Promise<void>
  /** Ends a pause. All processes notice it within `pollIntervalMs`. */
  resume(name: Name): Promise<void>
  /** What it does, its position, how far it is behind, what is parked, and why it has failed. */
  status(name: Name): Promise<ProjectionStatus>
  /**
   * Handles all events that are in the log now. For domains started with `projections: 'manual'`. If another process is
   * doing this, it waits for that process.
   *
   * @throws ProjectionError `PROJECTION_FAILED`, `PROJECTION_PAUSED`; `PROJECTION_ELSEWHERE` if another process leads
   *   and makes no progress for longer than `leaseMs`
   */
  runOnce(name: Name): Promise<RunResult>
  /**
   * Reports again and again how far it is, how fast, and how long the rest will take, until it has caught up.
   *
   *     for await (const { done, perSecond, remainingMs } of bank.projections.progress('balances')) ...
   *
   * Awaited, it is the last progress: `await bank.projections.progress('balances')` waits until it has caught up.
   *
   * @throws ProjectionError the reason if it has failed; the signal's reason
   */
  progress(name: Name, options?: ProgressOptions): ProgressWatch
  /** The parked events, in the order of the log. */
  parked(name: Name): Promise<readonly ParkedEvent[]>
  /**
   * Handles the parked events again, in the order of the log. An event that fails stays parked, and so do those that
   * queue behind it.
   *
   * @throws ProjectionError `PROJECTION_ELSEWHERE` if another process runs it
   */
  retryParked(name: Name, options?: RetryOptions): Promise<RetryResult>
  /**
   * Drops the event that is parked at a position, for ever. Events that queue behind it are handled by the next
   * `retryParked`.
   *
   * @throws ProjectionError `PARKED_UNKNOWN`, `PROJECTION_ELSEWHERE`
   */
  skipParked(name: Name, position: number): Promise<void>
  /**
   * Moves the checkpoint to a position, and deletes what is stored beside it. For a log that was replaced by an older
   * copy: only you can know what is still true then. Call `start` afterwards. For rows, `rebuild` is better, because
   * the live rows stay in use meanwhile.
   *
   *     await bank.reactions.reset('welcome', { from: head + 1, keep: true })
   *
   * @throws ProjectionError `PROJECTION_ELSEWHERE`; DefinitionError `OPTION_INVALID` if the log ends before the
   *   position before `from`
   */
  reset(name: Name, options: ResetOptions): Promise<void>
}

/** Manages projections, whose rows can also be rebuilt. */
export interface Projections<Name extends PropertyKey> extends Managed<Name> {
  /**
   * Builds all rows from the whole log, beside the live ones, and then makes the new ones live in one step. Await it,
   * or iterate over its progress. If it is cancelled, fails or is killed, the live rows stay unchanged.
   *
   *     for await (const { done, remainingMs } of bank.projections.rebuild('balances')) ...
   *
   * @throws ProjectionError `REBUILD_RUNNING`, `REBUILD_IMPOSSIBLE` (of a projection as code), `PROJECTION_FAILED`; the
   *   signal's reason
   */
  rebuild(name: Name, options?: RebuildOptions): Job<RunResult>
  /**
   * Builds all rows up to the position of the live ones, and says which rows differ. Then it deletes what it built.
   *
   * @throws ProjectionError as `rebuild`; the signal's reason
   */
  compare(name: Name, options?: CompareOptions): Job<RowComparison>
}

/** Manages reactions, whose scheduled commands can also be listed. */
export interface Reactions<Name extends PropertyKey> extends Managed<Name> {
  /**
   * The scheduled commands that are not sent yet, in the order in which they are due, page by page.
   *
   *     const { timers, next } = await bank.reactions.timers('reminders', { limit: 20 })
   *
   * @throws DefinitionError `OPTION_INVALID`
   */
  timers(name: Name, options?: TimersOptions): Promise<TimersPage>
  /**
   * What is not done yet, and why, page by page: parked events and those behind them, then the events after the
   * checkpoint, then scheduled commands. Optionally only for one key.
   *
   *     const { waiting, leader, next } = await bank.reactions.waiting('transfers', { key: transferId })
   *
   * It is what is stored, and what this process knows besides if it leads: which handlers and steps are at work, and
   * what is tried again. If another process leads, events after the checkpoint are `unhandled` here. It holds no data
   * of events and commands, and no messages of errors.
   *
   * @throws DefinitionError `OPTION_INVALID`; InputError `ID_INVALID`; StoreError
   */
  waiting(name: Name, options?: WaitingOptions): Promise<WaitingPage>
  /**
   * Cancels a scheduled command (`id` of `timers`), from any process. One that is just being sent may be handled.
   *
   * @throws ProjectionError `TIMER_UNKNOWN` if it was sent or cancelled; DefinitionError `OPTION_INVALID`
   */
  cancelTimer(name: Name, id: string): Promise<void>
  /** Lets the process that runs the reaction send a scheduled command now. @throws as `cancelTimer` */
  sendTimer(name: Name, id: string): Promise<void>
  /**
   * Hands all that is parked back to the process that runs the reaction, from any process: it tries that again before
   * all other events, as the policy says. Returns how much there was. `retryParked` does it in this process.
   */
  handBack(name: Name): Promise<number>
}

/** How much a domain has to do. */
export interface Load {
  readonly liveAggregates: number
  readonly commandsInFlight: number
}

/** A domain that runs on a store. */
export type Running<A, P, R = {}> = { readonly [K in keyof A]: Instances<A[K]> } & {
  readonly [K in keyof P]: ReadModel<P[K]>
} & {
  /**
   * Handles a command that is given as data.
   *
   * @throws CommandRejected on a business "no"; InputError if the value is not a valid command
   */
  dispatch<const Name extends NameIn<A>, const CommandName extends CommandNameIn<A, Name>>(
    command: Named<Name, CommandName> & CommandBy<A, Name, CommandName>,
  ): Promise<AcceptedBy<A, Name>>
  readonly try: {
    /** The same, but it returns a rejection instead of throwing it. */
    dispatch<const Name extends NameIn<A>, const CommandName extends CommandNameIn<A, Name>>(
      command: Named<Name, CommandName> & CommandBy<A, Name, CommandName>,
    ): Promise<AcceptedBy<A, Name> | RejectedBy<A, Name, CommandName>>
  }
  /**
   * Reads a command that comes from outside, such as the body of a request. It checks the command completely, and
   * returns it with its type, so that it can be dispatched.
   *
   *     const command = bank.parseCommand(await request.json())
   *     await bank.dispatch({ ...command, metadata: { user } })
   *
   * A client may choose the aggregate, the id, the name, the data, a `commandId` and an `expectedSequence`. `metadata`
   * and `tags` are refused: your program adds them.
   *
   * @throws InputError `COMMAND_MALFORMED`, `AGGREGATE_UNKNOWN`, `COMMAND_UNKNOWN`, `ID_INVALID`, `COMMAND_INVALID`,
   *   `COMMAND_TOO_LARGE`, `DATA_NOT_JSON`
   */
  parseCommand(untrusted: unknown): CommandOf<A>
  readonly projections: Projections<keyof P>
  /** Managed like projections. */
  readonly reactions: Reactions<keyof R>
  /**
   * The events of the log from a position on, then the new ones: each once, in order. It ends when the domain stops, or
   * throws the signal's reason. Waiting for events keeps the process alive.
   *
   *     for await (const event of bank.events({ from: lastHandled + 1, types: ['MoneyDeposited'], signal })) ...
   *
   * To continue later, give the last event: `events({ after: lastHandled })`.
   *
   * @throws DefinitionError `OPTION_INVALID`. While iterating: EventError `EVENT_UNREADABLE`, whose facts can be given
   *   as `after`; StoreError `LOG_REPLACED` if the log does not contain what was read before
   */
  events<Type extends EventsOf<A[keyof A]>['type']>(
    options?: EventsOptions<Type>,
  ): AsyncIterable<Extract<EventsOf<A[keyof A]>, { readonly type: Type }> & Required<LogPlace>>
  /**
   * Erases the personal fields of a subject, in everything that was stored before the call: destroys the key that they
   * are encrypted with. They read as `forgotten` from then on, in each process. Others that use keys are
   * waited for: about a second, or 5 seconds if one has ended or stands still. If it fails, repeat it: that is safe.
   *
   * @returns what was erased, where and when
   * @throws InputError `ID_INVALID`; DefinitionError `DEFINITION_INVALID` if nothing is declared as personal;
   *   StoreError `KEY_MISSING` if the key store is not the one of this log
   */
  forget(subject: string): Promise<Erasure>
  /** The position of the last event of the log; 0 if there is none. */
  head(): Promise<number>
  /** How many aggregates are in memory, and how many commands are in progress. */
  load(): Load
  /** The members of the cluster, if this process is in one. */
  readonly cluster: ClusterInfo
  /** Refuses new commands, answers those in progress, saves checkpoints, and closes the stores. Also `await using`. */
  stop(): Promise<void>
} & AsyncDisposable

export type Aggregates = Record<string, AnyAggregate>
export type ProjectionsByName = Record<string, AnyProjection | AnyCodeProjection>
export type ReactionsByName = Record<string, AnyReaction>

/** The name under which a reaction's checkpoint and timers are stored. */
export const reactionStorageName = ({ name }: AnyReaction): string => `reaction ${name}`
