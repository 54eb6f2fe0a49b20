/** What clients asked for, and what they were told. */
import type { Outcome } from '../../domain/outcome.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import type { LogPlace, Snapshot } from '../../store/store.ts'
import type { Version } from './version.ts'
import type { Moment } from './witness.ts'

/** What a client was told: an outcome, an error, or nothing since the process crashed. */
export type Told = { readonly outcome: Outcome } | { readonly error: unknown } | 'nothing'

/** One sending of a command to one process. */
export interface Attempt {
  readonly process: string
  readonly version: Version
  /** The clock of the process at the end. */
  nowMs: number
  /** Where log and stream ended when it was sent, and when the client was told. */
  readonly sent: Moment
  ended: Moment | undefined
  told: Told | undefined
  /** Whether the client has given it up by its signal. */
  isGivenUp: boolean
}

/** A command of a client, sent once or more often under one id. */
export interface ClientCommand {
  readonly client: number
  readonly command: PlainCommand
  /** The id that the client chose, if it did. */
  readonly commandId: string | undefined
  readonly attempts: Attempt[]
}

/** What a client was told to whose command another command's id was given, which it knew to be stored. */
export interface Reuse {
  readonly client: number
  readonly other: number
  readonly era: number
  told: Told | undefined
}

/** A state that a client read. */
export interface StateRead {
  readonly process: string
  readonly version: Version
  readonly aggregate: string
  readonly id: string
  readonly sent: Moment
  ended: Moment | undefined
  told: { readonly state: unknown } | { readonly error: unknown } | undefined
}

/** What a reader of the log was given, since it last began. */
export interface Reading {
  readonly places: LogPlace[]
  /** The era of the last event. */
  era: number
  failure: unknown
}

export interface History {
  readonly commands: Map<number, ClientCommand>
  readonly reads: StateRead[]
  readonly reuses: Reuse[]
  /** What each process's subscription has given, by the process's name. Processes of one place may share a reading. */
  readonly readings: Map<string, Reading>
  /** The snapshots that were saved. */
  readonly snapshots: { readonly era: number; readonly version: Version; readonly snapshot: Snapshot }[]
  /** The positions of events that an operator has skipped, or may have skipped, by the key of the projection. */
  readonly skipped: Map<string, Set<number>>
  /** The eras in which the store was damaged. */
  readonly damaged: Set<number>
}

export const emptyHistory = (): History => ({
  commands: new Map(),
  reads: [],
  reuses: [],
  readings: new Map(),
  snapshots: [],
  skipped: new Map(),
  damaged: new Set(),
})

/** The metadata by which a commit is recognised as a client's. */
export const markOf = (client: number): { readonly client: number } => ({ client })
