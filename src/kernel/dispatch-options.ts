/** How a command is sent to the kernel: as its caller wants it, and how it came here. */
import type { CommandOptions } from '../domain/command.ts'

/**
 * Called before a command is decided. If it throws, the command fails with that error.
 *
 * @param wantedMs given if the decision asks for the time, and the time of the command is not fixed yet
 * @returns the time at which the command is decided, if the sender keeps it (`fixed-time.ts`); both in milliseconds
 *   since 1970
 */
export type Fence = (wantedMs?: number) => Promise<number | undefined>

export interface DispatchOptions extends CommandOptions {
  /** The id of a reaction's command, made from its cause (`derivedCommandId`). */
  readonly derivedId?: string | undefined
  /** The id that another process has made for the command. */
  readonly ownId?: string | undefined
  /** Whether a process may have stored the command already, although the caller gave no id. */
  readonly isRepeated?: boolean
  /** Whether it fails with `Moved` if another process owns the stream. Otherwise it is sent there. */
  readonly mayFailMoved?: boolean
  /** Whether it was counted before (`commandsInFlightMax`), and is therefore not refused now. */
  readonly isAdmitted?: boolean
  readonly fence?: Fence
  /** Whether the fence, which let it pass, would still do so. Asked at the moment of the decision. */
  readonly isStillClear?: () => boolean
  /** Whether the fence need not be asked before `isStillClear` says no. */
  readonly isClearAtFirst?: boolean
  /** Called when it begins to wait for its answer, with a function that ends the wait as `signal` does. */
  readonly onWaiting?: (abort: (reason: unknown) => void) => void
  /** The `span` of the handled event or the timer that sends it. */
  readonly parent?: number | undefined
}
