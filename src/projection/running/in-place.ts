/**
 * What a leader looks at from time to time. A process that has lost its lease may still finish a reset, which moves the
 * checkpoint. A leader with nothing to save would not notice without this look.
 */
import type { Bookmark } from '../checkpoint/bookmark.ts'
import type { Pausing } from '../checkpoint/pausing.ts'

/** Whether the checkpoint is where this leader left it. If not, it is taken over again, and there may be work. */
export async function isInPlace(bookmark: Bookmark, pausing: Pausing): Promise<boolean> {
  // Somebody may have been killed in the middle of a pause.
  await pausing.look()
  await bookmark.refresh()
  if (await bookmark.isCurrent()) return true
  await bookmark.takeOver()
  return false
}
