/** The types of the client, made from the type of a domain. */
import type { Domain } from '../../application/domain.ts'
import type { At, HistoryOptions, IdsOptions, Reading } from '../../application/running.ts'
import type { Aggregate, Commands } from '../../domain/aggregate.ts'
import type { CommandOptions, MayBeLeftOut } from '../../domain/command.ts'
import type { EventOf, RecordedEvent } from '../../domain/event.ts'
import type { Accepted, Rejected } from '../../domain/outcome.ts'
import type { Personal } from '../../domain/personal.ts'
import type { Projection } from '../../domain/projection.ts'
import type { Rejection } from '../../domain/rejection.ts'
import type { StreamPlace } from '../../projection/log/stream-subscription.ts'
import type { Filter, FoundPage, Query } from '../../projection/reading/query.ts'
import type { LogPlace } from '../../store/store.ts'
import type { StreamList } from '../../store/stream-list.ts'

/** A value as the service shows it: a personal value is the value, if the user may see it, or a text in its place. */
export type Shown<Value> =
  Value extends Personal<infer Held>
    ? Held | '[personal]' | '[forgotten]'
    : Value extends Date
      ? Value
      : Value extends ReadonlyMap<infer Key, infer Item>
        ? ReadonlyMap<Shown<Key>, Shown<Item>>
        : Value extends ReadonlySet<infer Item>
          ? ReadonlySet<Shown<Item>>
          : Value extends object
            ? { readonly [Key in keyof Value]: Shown<Value[Key]> }
            : Value

/** Only data has personal values. Metadata is JSON, a type that contains itself. */
type ShownEvent<Event> = Event extends RecordedEvent<infer Type, infer Data> ? RecordedEvent<Type, Shown<Data>> : never
type ShownRejection<Rejected> =
  Rejected extends Rejection<infer Code, infer Details> ? Rejection<Code, Shown<Details>> : never

/** The options of a command that a client may choose. Metadata and tags are the program's. */
export type RemoteCommandOptions = Pick<CommandOptions, 'commandId' | 'expectedSequence' | 'signal'>

type Arguments<Data> =
  MayBeLeftOut<Data> extends true
    ? [data?: Data, options?: RemoteCommandOptions]
    : [data: Data, options?: RemoteCommandOptions]

/** How long a read takes at most is said by its signal. */
export interface RemoteReadOptions {
  readonly signal?: AbortSignal
}

export interface RemoteWaitOptions extends RemoteReadOptions {
  /** The position that the projection must have handled. `outcome.position` reads your own write. */
  readonly atLeast?: number
}

export interface RemoteEventsOptions<Place = LogPlace> extends RemoteReadOptions {
  /** The first position (of one aggregate: sequence) wanted, 1 by default, or 'now'. */
  readonly from?: number | 'now'
  /**
   * Instead of `from`: continues after an event that was handled. You can pass the event itself. Its checksum shows
   * whether the log is still the one that it was read from; if it is not, a `ProblemError` has the code `LOG_REPLACED`.
   */
  readonly after?: Place
}

export interface RemoteLogOptions<Type> extends RemoteEventsOptions {
  readonly types?: readonly Type[]
  /** The names of aggregates. */
  readonly aggregates?: readonly string[]
  readonly tags?: readonly string[]
}

/** One aggregate instance, with its commands as methods, as `Handle`. */
export type RemoteHandle<A> =
  A extends Aggregate<string, infer State, infer Kinds, infer C extends Commands>
    ? {
        readonly [K in keyof C]: (
          ...args: Arguments<C[K]['input']>
        ) => Promise<Accepted<Shown<State>, ShownEvent<EventOf<Kinds>>>>
      } & {
        readonly id: string
        /** The same commands, but they return a rejection instead of throwing it. */
        readonly try: {
          readonly [K in keyof C]: (
            ...args: Arguments<C[K]['input']>
          ) => Promise<Accepted<Shown<State>, ShownEvent<EventOf<Kinds>>> | Rejected<ShownRejection<C[K]['rejection']>>>
        }
        state(at?: At & RemoteReadOptions): Promise<Shown<State>>
        /** The state, and where it is. Give its `sequence` to a command as `expectedSequence`. */
        read(at?: At & RemoteReadOptions): Promise<Reading<Shown<State>>>
        history(options?: HistoryOptions): AsyncGenerator<ShownEvent<EventOf<Kinds>>, void, void>
        /** The events from a sequence on, then the new ones, each once. It connects again when it is cut off. */
        events(
          options?: RemoteEventsOptions<StreamPlace>,
        ): AsyncGenerator<ShownEvent<EventOf<Kinds>> & Required<LogPlace>, void, void>
      }
    : never

export interface RemoteInstances<A> {
  (id: string): RemoteHandle<A>
  ids(options?: IdsOptions & RemoteReadOptions): Promise<StreamList>
}

type RemoteReadModel<P> =
  P extends Projection<string, infer Row, any, infer Shape>
    ? Shape extends 'state'
      ? { state(options?: RemoteWaitOptions): Promise<Shown<Row>> }
      : {
          get(key: string, options?: RemoteWaitOptions): Promise<Shown<Row> | undefined>
          find(query?: Query<Row>, options?: RemoteWaitOptions): Promise<FoundPage<Shown<Row>>>
          count(filter?: Filter<Row>, options?: RemoteWaitOptions): Promise<number>
        }
    : never

type EventsIn<A> = A extends Aggregate<string, any, infer Kinds, any> ? EventOf<Kinds> : never

/** A domain behind HTTP, with the types of `D`, such as `typeof Bank`. */
export type Client<D> =
  D extends Domain<infer A, infer P, any>
    ? { readonly [K in keyof A]: RemoteInstances<A[K]> } & { readonly [K in keyof P]: RemoteReadModel<P[K]> } & {
        /** The events of the log from a position on, then the new ones, each once. */
        events<Type extends EventsIn<A[keyof A]>['type']>(
          options?: RemoteLogOptions<Type>,
        ): AsyncGenerator<
          ShownEvent<Extract<EventsIn<A[keyof A]>, { readonly type: Type }>> & Required<LogPlace>,
          void,
          void
        >
      }
    : never
