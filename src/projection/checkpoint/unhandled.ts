/**
 * A leader does not save each position that has no event to handle. Nobody in another process should wait for such a
 * position. So a process that stands by reads for itself whether there is anything to handle up to it. Only a program
 * that could have made the live rows may do so: rows of another revision may need events that it does not handle.
 */
import { boundAfter } from '../../store/range.ts'
import type { BookmarkOptions } from './bookmark-options.ts'
import type { Checkpoint } from './checkpoint.ts'

/** Few, because events that others need are only looked for. */
const pageSize = 10

/**
 * Notes positions after the checkpoint as handled, up to a wanted one, if none of them has an event to handle.
 *
 * @param wanted the positions that readers wait for, ascending
 * @throws StoreError `LOG_REPLACED`
 */
export async function passUnhandled(
  checkpoint: Checkpoint,
  wanted: readonly number[],
  { store, recognition: { kinds } }: Pick<BookmarkOptions, 'store' | 'recognition'>,
): Promise<void> {
  for (const position of wanted) {
    const behind = checkpoint.place
    if (behind.position >= position) continue
    const range = { from: behind.position + 1, to: boundAfter(position) }
    const page = await store.readAll(range, { ...kinds.filters, limit: pageSize, behind })
    if (kinds.among(page.events).length > 0) return
    checkpoint.pass({ position: page.examined, checksum: page.checksum })
  }
}
