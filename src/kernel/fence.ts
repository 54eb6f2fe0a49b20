/**
 * Fences: commands with personal fields may be decided when the keys of their subjects are stored. Commands of
 * reactions may be decided only while their sender still leads. The fence is asked after the state is loaded on which
 * they are decided, and again before each new decision. If the decision is then stored on that state, no other process
 * can have got another answer to the same command since the fence was asked. Asked earlier, it would prove nothing. A
 * command behind others of its round is decided on another state; see `mayFollow` of `round.ts`.
 */
import type { PendingCommand } from './pending-command.ts'

/** Whether the fence of a command must be asked before the command is decided. */
export const isHeldUp = ({ isClear, isAnswered }: PendingCommand): boolean => !isClear && !isAnswered

/** Asks the fences of commands. If a fence throws, its command fails. Never throws. */
export async function passFences(commands: readonly PendingCommand[]): Promise<void> {
  const asking = commands.map(async (pending) => {
    try {
      if (isHeldUp(pending)) await pending.fence!()
      pending.clear()
    } catch (error) {
      pending.fail(error)
    }
  })
  await Promise.all(asking)
}
