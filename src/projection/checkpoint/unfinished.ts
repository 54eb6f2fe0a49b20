/** What a process has begun and left in the middle. Whoever takes over goes on with it before it handles events. */
import type { Breath } from '../../runtime/breath.ts'
import type { BookmarkOptions } from './bookmark-options.ts'
import type { Checkpoint } from './checkpoint.ts'
import { deleteForgotten } from './forgetting.ts'
import { finishHandingBack } from './handing-back.ts'

/** @returns false if this runner was overtaken */
export async function finishBegun(
  checkpoint: Checkpoint,
  { store, lead, isKept }: Pick<BookmarkOptions, 'store' | 'lead' | 'isKept'>,
  breath: Breath,
): Promise<boolean> {
  if (checkpoint.forgetting !== undefined) {
    if (!(await lead.during(() => deleteForgotten(checkpoint, store, isKept, breath)))) return false
  }
  return !checkpoint.isHandingBack || lead.during(() => finishHandingBack(checkpoint, store, breath))
}
