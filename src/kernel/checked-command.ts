/** A command as it is decided: its parts are checked, and it has an id. */
import type { Decision } from '../domain/aggregate.ts'
import type { JsonObject } from '../domain/json.ts'
import type { CommandMark } from '../store/commit.ts'

/** Asked before a command is decided; what it throws is the command's answer. */
export type Fence = () => Promise<void>

export interface CheckedCommand {
  readonly name: string
  readonly decision: Decision
  readonly input: unknown
  /** Whether something in the input cannot be frozen. */
  readonly isInputOpen: boolean
  readonly commandId: string
  /** Whether the caller chose the id, so that it may have been stored before. */
  readonly repeatable: boolean
  /** Kept with the commit, so that another command with this id is told from a repetition. */
  readonly mark: CommandMark
  /**
   * Whether the id follows from what causes the command: then it is the same command, whatever its data is this time.
   */
  readonly isDerived: boolean
  readonly fence?: Fence | undefined
  readonly metadata: JsonObject
  readonly tags: readonly string[]
}
