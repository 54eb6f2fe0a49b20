/**
 * What a running domain tells about itself, for `start({ observe })`: commands, decisions, loads, batches, conflicts,
 * commands sent on in a cluster, passivations, snapshots, steps of projections and reactions, rebuilds, timers, retries
 * and warnings. `kind` tells them apart.
 *
 * Things that take time are told when they start and when they end, with the same `span`. Each one that starts ends
 * exactly once, also after an error, a cancelled wait or a stop. No observation has the data of a command or an event,
 * because that may be personal.
 */
import type { JsonObject } from '../domain/json.ts'
import type { StreamId } from '../domain/stream.ts'

interface Told {
  /** When, in milliseconds since 1970. */
  readonly atMs: number
}

interface Started extends Told {
  /** Unique in a running domain. The observation of the end has the same. */
  readonly span: number
}

interface Ended extends Told {
  readonly span: number
  /** The time since the start, in milliseconds, by a clock that is never set. */
  readonly tookMs: number
  /** Why it failed, if it did. */
  readonly error?: unknown
}

/** A command has been sent: by a caller, or by a reaction. */
export interface CommandStarted extends Started {
  readonly kind: 'command started'
  /** The event that a reaction handles, or the timer, that sent it: the `span` of that. */
  readonly parent: number | undefined
  readonly stream: StreamId
  readonly command: string
  /** Absent if the command was refused before it had one. Its events have it as `commitId`. */
  readonly commandId: string | undefined
  /** Its metadata, in which a trace goes on (`traceparent`, `correlationId`). Empty if the command was refused. */
  readonly metadata: JsonObject
}

/** A command has its answer. */
export interface CommandEnded extends Ended {
  readonly kind: 'command ended'
  /**
   * `unchanged`: it was accepted, and there was nothing to do. `failed`: with an error, which may be `OUTCOME_UNKNOWN`.
   * `moved`: another process of the cluster decides it.
   */
  readonly outcome: 'accepted' | 'unchanged' | 'rejected' | 'failed' | 'moved'
  /** The code of the rejection or of the error. */
  readonly code: string | undefined
  readonly events: number
  /** The sequence of the stream and the position of its last event after the command, if it was accepted. */
  readonly sequence: number | undefined
  readonly position: number | undefined
  /** The time from the start to the first decision; `undefined` if it was never decided. */
  readonly waitedMs: number | undefined
  /** How often it was decided in vain, because another process wrote to the stream. */
  readonly conflicts: number
}

/** A command was decided. After a conflict it is decided again. */
export interface DecisionMade extends Told {
  readonly kind: 'decision'
  /** The `span` of the command. */
  readonly parent: number
  readonly stream: StreamId
  readonly command: string
  /** The sequence of the state on which it was decided. */
  readonly sequence: number
  readonly outcome: 'events' | 'rejected' | 'nothing' | 'failed'
  /** The types of the events. */
  readonly types: readonly string[]
  /** The approximate size of the events as JSON, in characters. */
  readonly size: number
  readonly tookMs: number
  readonly error?: unknown
}

/** A state is being loaded: from a snapshot or the first event, or only what other processes have added. */
export interface LoadStarted extends Started {
  readonly kind: 'load started'
  readonly stream: StreamId
  /** The sequence that was known before; 0 if none was. */
  readonly from: number
}

export interface LoadEnded extends Ended {
  readonly kind: 'load ended'
  /** The number of events that were applied. */
  readonly events: number
  /** The sequence of the snapshot that was used, if one was. */
  readonly snapshot: number | undefined
}

/** A snapshot of a state is being saved. */
export interface SnapshotStarted extends Started {
  readonly kind: 'snapshot started'
  readonly stream: StreamId
  /** The sequence of the state. */
  readonly sequence: number
}

export interface SnapshotEnded extends Ended {
  readonly kind: 'snapshot ended'
}

/** A command is sent to another process of the cluster, the owner of its stream. If that is lost, it is sent again. */
export interface ForwardStarted extends Started {
  readonly kind: 'forward started'
  /** The event that a reaction handles, or the timer, that sent it: the `span` of that. */
  readonly parent: number | undefined
  readonly stream: StreamId
  readonly command: string
  readonly commandId: string
  /** The address of the owner. */
  readonly to: string
  readonly metadata: JsonObject
}

export interface ForwardEnded extends Ended {
  readonly kind: 'forward ended'
  /** `answered`: with an outcome or an error. `moved`: it is not the owner any more. `lost`: it did not answer. */
  readonly outcome: 'answered' | 'moved' | 'lost'
}

/** Commits go to the store together. */
export interface BatchStarted extends Started {
  readonly kind: 'batch started'
  /** The name of the store, such as `sqlite`. */
  readonly store: string
  /** The ids of their commands, one for each commit. */
  readonly commandIds: readonly string[]
  readonly events: number
  /** The approximate size of the events as JSON, in characters. */
  readonly size: number
}

export interface BatchEnded extends Ended {
  readonly kind: 'batch ended'
  /** How many commits were stored; conflicted; were stored before. All are 0 if the append failed. */
  readonly stored: number
  readonly conflicts: number
  readonly repeated: number
}

/** A command has to be decided again, because another process wrote to the stream or has reserved it. */
export interface ConflictFound extends Told {
  readonly kind: 'conflict'
  /** The `span` of the command. */
  readonly parent: number
  readonly stream: StreamId
  /** The sequence where the stream ends now. */
  readonly sequence: number
  /** Whether another process has reserved the stream. */
  readonly reserved: boolean
}

/** An idle aggregate has left memory. */
export interface Passivated extends Told {
  readonly kind: 'passivation'
  readonly stream: StreamId
  /** It was idle for long enough, there were too many, or another process of the cluster decides its commands now. */
  readonly reason: 'idle' | 'room' | 'moved'
  /** How many are left. */
  readonly live: number
}

/** A projection or a reaction takes a step along the log. */
export interface StepStarted extends Started {
  readonly kind: 'step started'
  readonly of: 'projection' | 'reaction'
  readonly name: string
  /** The position up to which everything is handled. */
  readonly position: number
}

export interface StepEnded extends Ended {
  readonly kind: 'step ended'
  /** The number of events that it handled. */
  readonly events: number
  readonly position: number
  /**
   * The `traceparent`s of these events, each once and 100 at most. Always empty for a reaction, which tells of each
   * event.
   */
  readonly traceparents: readonly string[]
}

/** All rows of a projection are built from the whole log, beside the live ones. */
export interface RebuildStarted extends Started {
  readonly kind: 'rebuild started'
  readonly projection: string
  /** Because somebody asked, or because the program has a newer `rowRevision`; or the new rows are only compared. */
  readonly why: 'asked' | 'revision' | 'comparison'
}

export interface RebuildEnded extends Ended {
  readonly kind: 'rebuild ended'
  /** The last position that it read. */
  readonly position: number
}

/** A reaction begins to handle an event. After a failure it is tried again, as an observation of its own. */
export interface ReactionStarted extends Started {
  readonly kind: 'reaction started'
  readonly reaction: string
  readonly type: string
  readonly stream: StreamId
  readonly position: number
  /** The command that made the event: the `commandId` of that. */
  readonly commitId: string
  /** The metadata of the event, in which a trace goes on. */
  readonly metadata: JsonObject
}

export interface ReactionEnded extends Ended {
  readonly kind: 'reaction ended'
  /** `later`: it is handled another time, or by another process. */
  readonly outcome: 'handled' | 'later' | 'failed'
}

/** A scheduled command is due and is sent. */
export interface TimerStarted extends Started {
  readonly kind: 'timer started'
  readonly reaction: string
  readonly stream: StreamId
  readonly command: string
  /** When it was due, in milliseconds since 1970. */
  readonly dueAtMs: number
  /** The metadata of the command, in which the trace of the event that scheduled it goes on. */
  readonly metadata: JsonObject
}

export interface TimerEnded extends Ended {
  readonly kind: 'timer ended'
  readonly outcome: 'sent' | 'rejected' | 'failed'
}

/** A projection or a reaction has failed at something and tries it again. */
export interface RetryPlanned extends Told {
  readonly kind: 'retry'
  /** `projection balances`, `reaction payments`. */
  readonly called: string
  /** How often it has failed. */
  readonly attempts: number
  /** The pause before the next try, in milliseconds. */
  readonly waitMs: number
  readonly error: unknown
}

/** What is logged. */
export interface WarningGiven extends Told {
  readonly kind: 'warning'
  readonly level: 'info' | 'warn' | 'error'
  readonly code: string
  readonly message: string
  readonly error?: unknown
}

export type Observation =
  | CommandStarted
  | CommandEnded
  | DecisionMade
  | LoadStarted
  | LoadEnded
  | BatchStarted
  | BatchEnded
  | ConflictFound
  | Passivated
  | SnapshotStarted
  | SnapshotEnded
  | ForwardStarted
  | ForwardEnded
  | StepStarted
  | StepEnded
  | RebuildStarted
  | RebuildEnded
  | ReactionStarted
  | ReactionEnded
  | TimerStarted
  | TimerEnded
  | RetryPlanned
  | WarningGiven

/**
 * Gets every observation, at once and in order. It is called in the middle of the work, so it should be quick. If it
 * throws, nothing else happens than one warning (`OBSERVER_FAILED`).
 */
export type Observe = (observation: Observation) => unknown

/** A command that is about to be sent: to the kernel, or to another process. */
export interface Departing extends Pick<CommandStarted, 'span' | 'parent' | 'stream' | 'command' | 'metadata'> {
  /** The address of the process that it is sent to. Absent if it is decided here. */
  readonly to?: string
}

/** An observer that also takes part: it marks commands and surrounds handlers, so that a trace can cross the log. */
export interface Observer {
  /** Gets every observation. */
  readonly observe: Observe
  /**
   * Gives metadata to a command, which its events keep. It is called where the command is sent, and a `command started`
   * or `forward started` of the same `span` follows. What it returns replaces what the caller gave under these names.
   */
  readonly mark?: (command: Departing) => JsonObject | undefined
  /**
   * Runs the handler of a reaction, or sends the command of a timer. It calls `run`, once.
   *
   * @param span the `span` of the reaction or the timer
   */
  readonly surround?: <Result>(span: number, run: () => Promise<Result>) => Promise<Result>
}
