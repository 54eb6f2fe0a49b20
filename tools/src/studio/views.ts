/** What the server of the studio tells its page, as JSON. Both import these types. */
/** A value of JSON. It is declared here because the page can use nothing that knows Node. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export interface Info {
  /** The name of the store, such as `sqlite`. */
  readonly store: string
  /** Whether the code of the domain is there: without it there are only stored events. */
  readonly hasDomain: boolean
  /** The keys of the aggregates by their stored names, in the order of the domain. */
  readonly aggregates: readonly string[]
  readonly head: number
  /** Whether `mneme dev` has started it, so that the code may change. */
  readonly isDevelopment: boolean
  /** Whether commands may be sent and projections be managed. */
  readonly isWritable: boolean
}

export interface EventView {
  readonly position: number
  readonly aggregate: string
  readonly id: string
  readonly sequence: number
  readonly type: string
  /** The revision in which it was stored. */
  readonly revision: number
  readonly recordedAt: string
  readonly commitId: string
  /** Upcast to the newest revision, if there is a domain. */
  readonly data: Json
  /** As it is stored, if that is something else. */
  readonly stored?: Json
  readonly metadata: Json
  readonly tags: readonly string[]
  /** Why the domain cannot read it. The data is then as it is stored. */
  readonly unreadable?: string
  /** Whether values are cut, because they are long. */
  readonly isCut?: boolean
}

export interface EventsView {
  readonly events: readonly EventView[]
  /** The bounds of the next page, if there may be more. */
  readonly next?: { readonly from: number; readonly to: number }
  /** The last position of the log. */
  readonly head: number
}

/** A place of a state that an event changed. A side is absent if there was or is nothing. */
export interface ChangeView {
  readonly path: readonly (string | number)[]
  readonly before?: Json
  readonly after?: Json
}

export interface StepView {
  readonly event: EventView
  readonly changes: readonly ChangeView[]
  /** How many changes are not listed. If there are any, `state` is there. */
  readonly more: number
  /** The state after the event, only if it cannot be made from the state before it and the changes. */
  readonly state?: Json
}

/** Some events of a stream, with the state before the first. If states are large, fewer than were asked for. */
export interface StepsView {
  readonly from: number
  /** The sequence of the last event of the stream. */
  readonly end: number
  /** The state before the first event. Absent without a domain. */
  readonly base?: Json
  readonly steps: readonly StepView[]
  /** Why no further states can be computed. */
  readonly failure?: string
}

/** What has made a value of a state what it is. */
export interface ReasonsView {
  /** The events that changed the value, newest first. A side is absent if the value was or is not there. */
  readonly reasons: readonly {
    readonly event: EventView
    /** Of a row: which of its events it is, from 1. */
    readonly number?: number
    readonly before?: Json
    readonly after?: Json
  }[]
  /** If there may be earlier ones: ask again with this sequence. */
  readonly next?: number
}

export interface CauseView {
  readonly commandId: string
  readonly aggregate: string
  readonly id: string
  /** The positions, sequences and types of its events. */
  readonly events: readonly Pick<EventView, 'position' | 'sequence' | 'type' | 'recordedAt'>[]
  readonly effects: readonly CauseView[]
}

export interface TraceView {
  readonly correlationId: string
  readonly roots: readonly CauseView[]
  readonly commands: number
  readonly isCut: boolean
}

export interface CatalogueView {
  readonly aggregates: readonly {
    readonly name: string
    readonly commands: readonly string[]
    readonly events: readonly {
      readonly type: string
      readonly revision: number
      /** The projections and reactions that handle it: `projection balances`. */
      readonly handledBy: readonly string[]
    }[]
  }[]
  readonly projections: readonly { readonly name: string; readonly shape: string }[]
  readonly reactions: readonly { readonly name: string; readonly sendsTo: readonly string[] }[]
}

export interface FollowerView {
  readonly kind: 'projection' | 'reaction'
  readonly name: string
  /** Absent, with `lagMs` and `parked`, if another program has handled it, so that this one cannot say (`failure`). */
  readonly position?: number
  readonly head: number
  /** How old the oldest event is that it has not handled, in milliseconds. Absent if it cannot be asked. */
  readonly lagMs?: number
  readonly parked?: number
  /** Since when it is paused, in all processes. */
  readonly pausedSince?: string
  readonly failure?: string
  /** Where a reaction will begin. Only of those that have never run. */
  readonly beginning?: BeginningView
}

/** At the first event, behind the last one, at a position, or with what was recorded from a time on. */
export type BeginningView = 'first' | 'now' | number | { readonly time: string }

/** An event that a projection has put aside. */
export interface ParkedView extends Pick<EventView, 'position' | 'aggregate' | 'id' | 'type'> {
  readonly projection: string
  readonly reason: string
  readonly parkedAt: string
}

/** Some rows of a projection, in the order of their keys. */
export interface RowsView {
  readonly rows: readonly { readonly key: string; readonly row: Json }[]
  /** What to ask for the next ones. */
  readonly next?: string
}

/** How many events have touched a row, and how far the log was looked through for them. */
export interface RowEndView {
  readonly end: number
  readonly looked: number
  readonly head: number
}

/** What a reaction has still to do, as the library tells it: why, and since or until when. */
export interface WaitingView {
  readonly items: readonly Json[]
  readonly next?: string
  /** Whether another process runs it, so that it is not known here what is in progress. */
  readonly isElsewhere: boolean
  /** Where it will begin, if it has never run. */
  readonly beginning?: BeginningView
}

/** The scheduled commands of a reaction, in the order in which they are due. */
export interface TimersView {
  readonly timers: readonly Json[]
  readonly next?: string
}

/** What the store knows of a cluster. */
export interface ClusterInfo {
  readonly epoch: number
  readonly members: readonly {
    readonly id: string
    readonly address: string
    readonly joinedAt: string
    readonly isLeaving: boolean
    readonly shards: Readonly<Record<string, number>>
    readonly follows: readonly string[]
  }[]
  readonly shardsTakenOver: number
}

/** What changed code has made different, under `mneme dev`. */
export interface DevelopmentView {
  /** Another one after each start. */
  readonly build: string
  readonly startedAt: string
  /** Why the newest code cannot be loaded. What is shown is by the code before. */
  readonly broken?: string
  /** Why the domain has not started, or the program's own server has not. */
  readonly notRunning?: string
  readonly notCompared?: string
  /** How many states are kept to be compared with those by the next code; absent while they are computed. */
  readonly kept?: number
  /** Absent before the first change. */
  readonly states?: StatesComparedView
  readonly rows: readonly RowsComparedView[]
}

export interface StatesComparedView {
  /** When the states were computed by the code before. */
  readonly since: string
  /** How many streams are compared: those that were written last. */
  readonly streams: number
  readonly compared: number
  readonly differing: number
  readonly isOver: boolean
  readonly differences: readonly StateDifferenceView[]
}

export interface StateDifferenceView {
  readonly aggregate: string
  readonly id: string
  readonly sequence: number
  readonly changes: readonly ChangeView[]
  readonly more: number
  /** Why there is no state now, or was none before. */
  readonly failure?: string
  readonly failureBefore?: string
}

export interface RowsComparedView {
  readonly projection: string
  /** How far the rows are built again. */
  readonly position: number
  readonly head: number
  readonly isOver: boolean
  readonly rows?: number
  readonly differing?: number
  readonly differences?: readonly {
    readonly key: string
    /** Whether there was no such row, or is none any more. */
    readonly isMissing: boolean
    readonly isGone: boolean
    readonly changes: readonly ChangeView[]
    readonly more: number
  }[]
  /** Why they are not compared. */
  readonly left?: string
}

export interface ErrorView {
  readonly error: { readonly code: string; readonly message: string }
}

// -- trying and sending commands -------------------------------------------------------------------------------------

/** The commands of an aggregate, each with the JSON Schema of its data if its schema can tell that. */
export interface CommandsView {
  readonly commands: readonly { readonly name: string; readonly schema?: Json }[]
}

export interface TriedCommand {
  readonly name: string
  readonly data: Json
}

/** A world beside the real one: a stream up to a version, with some events that were different, and commands. */
export interface WorldQuestion {
  readonly aggregate: string
  readonly id: string
  /** It is forked after the event with this sequence. */
  readonly sequence: number
  /** Events that are different: with other data as they are stored, or without data if they are left out. */
  readonly edits: readonly { readonly sequence: number; readonly data?: Json }[]
  readonly commands: readonly TriedCommand[]
}

/** What became of a command. */
export interface OutcomeView {
  readonly events: readonly { readonly type: string; readonly data: Json }[]
  /** The domain refused it. */
  readonly rejection?: { readonly code: string; readonly details?: Json }
  /** It could not be decided, because its data is not valid, or the code failed. */
  readonly failure?: { readonly code: string; readonly message: string }
  /** The sequence of the last event of the stream after it, the state there, and what it changed. */
  readonly sequence: number
  readonly state?: Json
  readonly changes: readonly ChangeView[]
  /** How many changes are not listed. */
  readonly more: number
}

/** One of two worlds that are compared. */
export interface SideView {
  /** The sequence of the last event. */
  readonly end: number
  /** The events from the first one on that may differ. */
  readonly events: readonly EventView[]
  /** How many events are not listed. */
  readonly more: number
  /** The state at the end. Absent if it cannot be computed. */
  readonly state?: Json
  readonly failure?: string
}

export interface WorldView {
  /** The state before the commands. */
  readonly before?: Json
  readonly outcomes: readonly OutcomeView[]
  /** The sequence from which on the worlds may differ. */
  readonly differsFrom: number
  readonly real: SideView
  readonly other: SideView
  /** From the real state at the end to the other one. */
  readonly changes: readonly ChangeView[]
  readonly more: number
}

/** A command that is really sent. */
export interface SentCommand extends TriedCommand {
  readonly aggregate: string
  readonly id: string
  /** The same command with the same id is handled once. */
  readonly commandId: string
  /** The last sequence of the stream that the sender has seen. */
  readonly expectedSequence: number
}

// -- tests ------------------------------------------------------------------------------------------------------------

/** A test of a version (without commands), or of the last command in another world. */
export interface TestQuestion extends WorldQuestion {
  /** That it does what it does, or that it must do something else. */
  readonly expectation: 'same' | 'different'
  /** The state that should be, if it is another one than that which is. */
  readonly state?: Json
}

export interface TestView {
  /** The text of a file of TypeScript. */
  readonly text: string
  /** What the file may be called. */
  readonly file: string
  /** The state that it expects. Absent if it expects a rejection. */
  readonly state?: Json
  /** The command that is tested. Absent if the one that made the events was not found. */
  readonly command?: string
}

// -- managing projections and reactions ------------------------------------------------------------------------------

export interface ManageQuestion {
  /** Reactions are not rebuilt, and skip nothing. Their `retry` hands what is parked to the process that runs them. */
  readonly action: 'rebuild' | 'pause' | 'resume' | 'retry' | 'skip'
  readonly kind: FollowerView['kind']
  /** Its stored name. */
  readonly name: string
  /** The event that is skipped. */
  readonly position?: number
}

/** The last rebuild of a projection that this studio has begun. */
export interface RebuildView {
  readonly projection: string
  readonly status: 'running' | 'done' | 'failed'
  readonly position: number
  readonly head: number
  readonly failure?: string
}
