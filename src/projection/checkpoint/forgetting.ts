/**
 * What a reset deletes. The checkpoint says that it is to be, from the step on in which it moves; so whoever takes over
 * goes on with it, if the process that began ends in the middle, before anything is handled behind the new checkpoint.
 */
import type { Breath } from '../../runtime/breath.ts'
import type { ProjectionStore } from '../../store/store.ts'
import { rowPages } from '../stored/row-pages.ts'
import type { Checkpoint } from './checkpoint.ts'
import { isRecognition } from './recognition.ts'

/** Rows deleted in one step. */
const pageSize = 1000

/**
 * Deletes what is left of it, in a term of its own: nobody handles anything meanwhile who was at work before.
 *
 * @param isKept which rows belong to what was handled up to a position, by their keys
 * @returns false if another runner was faster
 */
export async function deleteForgotten(
  checkpoint: Checkpoint,
  store: ProjectionStore,
  isKept: (key: string, position: number) => boolean,
  breath: Breath,
): Promise<boolean> {
  const { forgetting, place } = checkpoint
  const stays = (key: string) => isRecognition(key) || (forgetting === 'behind' && isKept(key, place.position))
  if (!(await checkpoint.raise([]))) return false
  for await (const rows of rowPages(store, checkpoint.name, { limit: pageSize })) {
    await breath.pause()
    const gone = rows.filter(({ key }) => !stays(key)).map(({ key }) => ({ key, value: undefined }))
    if (gone.length > 0 && !(await checkpoint.advance(place, gone, 'now'))) return false
  }
  return checkpoint.forgotten()
}
