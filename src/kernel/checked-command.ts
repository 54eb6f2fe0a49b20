/** A command whose parts were checked, with an id. */
import type { Decision } from '../domain/aggregate.ts'
import type { JsonObject } from '../domain/json.ts'
import type { CommandMark } from '../store/commit.ts'
import type { DispatchOptions } from './dispatch-options.ts'
import type { FixedTime } from './fixed-time.ts'

/** What the caller gave. */
export interface Origin {
  readonly data: unknown
  /** Whether the caller cannot change the data any more. */
  readonly isCopy: boolean
  readonly options: DispatchOptions
}

export interface CheckedCommand {
  readonly name: string
  readonly decision: Decision
  readonly input: unknown
  /** Whether a part of the input cannot be frozen. */
  readonly isInputOpen: boolean
  readonly commandId: string
  /** Whether the id may be stored already, because the caller gave it or it follows from a cause. */
  readonly repeatable: boolean
  /**
   * Whether another process may be asked to decide it too, while what this one has decided is still on its way to the
   * store: its caller has the id, or another process has sent it.
   */
  readonly mayBeRepeated: boolean
  /** Stored with the commit, to distinguish a repetition from another command with the same id. */
  readonly mark: CommandMark
  /**
   * Whether the id was made from the cause of the command. The same id is then the same command, even with other data.
   */
  readonly isDerived: boolean
  readonly fence?: (() => Promise<void>) | undefined
  readonly isStillClear?: (() => boolean) | undefined
  /** Whether the fence need not be asked yet. */
  readonly isClearAtFirst: boolean
  /** The time at which it is decided, if that must be the same wherever it is decided. */
  readonly time?: FixedTime | undefined
  /** Whether an earlier try may have stored it, so that no answer may say that it had no effect. */
  readonly isRepeated: boolean
  /** The sequence at which the aggregate must be for it to be decided. */
  readonly expectedSequence?: number | undefined
  readonly metadata: JsonObject
  readonly tags: readonly string[]
  /** What the caller gave, if the command may have to be sent to another process. */
  readonly origin?: Origin | undefined
}
