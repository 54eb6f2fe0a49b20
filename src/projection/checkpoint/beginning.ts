/** Finds and stores where a reaction begins that has never run. */
import { checkOption } from '../../domain/options.ts'
import type { Beginning } from '../../domain/reaction.ts'
import type { EventStore, LogPlace } from '../../store/store.ts'
import type { BookmarkOptions } from './bookmark-options.ts'
import type { Checkpoint } from './checkpoint.ts'

type Log = Pick<EventStore, 'head' | 'readAll'>

/** A beginning that has to be stored: others begin where every checkpoint begins. */
export type Place = Exclude<Beginning, 'first' | Date>

/**
 * Stores where it begins, unless some process has begun. This is one step, so a process that ends before it has not
 * begun. If another process begins at the same moment, that one decides.
 *
 * @param checkpoint as it is stored
 * @throws DefinitionError `OPTION_INVALID`; StoreError
 */
export async function beginFirst(
  checkpoint: Checkpoint,
  beginning: Place,
  { store, recognition }: Pick<BookmarkOptions, 'store' | 'recognition'>,
): Promise<void> {
  if (checkpoint.term > 0 || checkpoint.place.position > 0) return
  const to = await placeInLog(await positionBefore(beginning, store), store)
  await checkpoint.goAnywhere(to, 'all', recognition.newRows(to.position))
}

/** A position with the checksum of its event. @throws StoreError `LOG_REPLACED` if the log ends before it */
export async function placeInLog(position: number, store: Pick<EventStore, 'readAll'>): Promise<LogPlace> {
  if (position === 0) return { position }
  const { events } = await store.readAll({ from: position, to: position + 1 }, { limit: 1, behind: { position } })
  return { position, checksum: events[0]!.checksum }
}

/**
 * The position behind which it begins: 0 is the beginning of the log.
 *
 * @throws DefinitionError `OPTION_INVALID` for a position that the log has not reached
 */
async function positionBefore(beginning: Place, store: Log): Promise<number> {
  const head = await store.head()
  if (beginning === 'now') return head
  const expected = `at most ${head + 1}, the position after the end of the log`
  checkOption('from', beginning, (found) => found <= head + 1, expected)
  return beginning - 1
}
