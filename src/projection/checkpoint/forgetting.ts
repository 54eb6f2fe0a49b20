/**
 * Deletes the rows that a reset leaves. The step that moves the checkpoint also records in it that they have to be
 * deleted. If the process ends in the middle, the next process that takes over continues the deletion before it handles
 * events after the new checkpoint.
 */
import type { Breath } from '../../runtime/breath.ts'
import type { ProjectionStore, Row } from '../../store/store.ts'
import { rowPages } from '../stored/row-pages.ts'
import type { Checkpoint } from './checkpoint.ts'
import { isRecognition } from './recognition.ts'

/** The number of rows that one step deletes. */
const pageSize = 1000

/**
 * Deletes the rows that are left, in a new term, so that earlier runners cannot handle events meanwhile.
 *
 * @param isKept whether a row belongs to an event up to a position
 * @returns false if this runner was overtaken
 */
export async function deleteForgotten(
  checkpoint: Checkpoint,
  store: ProjectionStore,
  isKept: (row: Row, position: number) => boolean,
  breath: Breath,
): Promise<boolean> {
  const { forgetting, place } = checkpoint
  const stays = (row: Row) => isRecognition(row.key) || (forgetting === 'behind' && isKept(row, place.position))
  if (!(await checkpoint.raise([]))) return false
  for await (const rows of rowPages(store, checkpoint.name, { limit: pageSize })) {
    await breath.pause()
    const gone = rows.filter((row) => !stays(row)).map(({ key }) => ({ key, value: undefined }))
    if (gone.length > 0 && !(await checkpoint.advance(place, gone, 'now'))) return false
  }
  return checkpoint.forgotten()
}
