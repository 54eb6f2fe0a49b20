/**
 * Commands that may be decided only as long as their sender is still the one to send them. The question is asked when
 * the state is known on which they will be decided, and before each decision again: if what was decided on that state
 * is then stored, nobody else can have had another answer to the same command since the question. A question that was
 * asked earlier would prove nothing.
 */
import type { PendingCommand } from './pending-command.ts'

/** Whether a command's fence is to be asked before it is decided. */
export const isHeldUp = ({ isClear, isAnswered }: PendingCommand): boolean => !isClear && !isAnswered

/** Asks the fences of commands that are to be decided. Never throws. */
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
