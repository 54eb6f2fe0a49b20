/** A command whose parts were checked, with an id. */
import type { Decision } from '../domain/aggregate.ts'
import type { JsonObject } from '../domain/json.ts'
import type { CommandMark } from '../store/commit.ts'
import type { DispatchOptions, Fence } from './dispatch-options.ts'

export interface CheckedCommand {
  readonly name: string
  readonly decision: Decision
  readonly input: unknown
  /** Whether a part of the input cannot be frozen. */
  readonly isInputOpen: boolean
  readonly commandId: string
  /** Whether the id may be stored already, because the caller gave it or it follows from a cause. */
  readonly repeatable: boolean
  /** Stored with the commit, to distinguish a repetition from another command with the same id. */
  readonly mark: CommandMark
  /**
   * Whether the id was made from the cause of the command. The same id is then the same command, even with other data.
   */
  readonly isDerived: boolean
  readonly fence?: Fence | undefined
  /** The sequence at which the aggregate must be for it to be decided. */
  readonly expectedSequence?: number | undefined
  readonly metadata: JsonObject
  readonly tags: readonly string[]
  /** What the caller gave, if the command may have to be sent to another process. */
  readonly origin?: { readonly data: unknown; readonly options: DispatchOptions } | undefined
}
