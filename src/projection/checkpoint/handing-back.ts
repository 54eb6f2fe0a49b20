/**
 * Hands everything back that is parked, in pieces: there may be more than one step of a store can save in its time. The
 * first step records in the checkpoint that this has begun, and raises the term unless this process leads. Nobody
 * handles events before all is handed back, because one of them could queue behind an event that is not handed back
 * yet. If the process ends in the middle, the next process that takes over goes on.
 */
import { Breath } from '../../runtime/breath.ts'
import type { ProjectionStore, Row } from '../../store/store.ts'
import { handedBackRows } from '../stored/parked-events.ts'
import type { BookmarkOptions } from './bookmark-options.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Intervening } from './intervention.ts'

/** Saves rows. Returns false if another process has moved the checkpoint. */
type Save = (rows: readonly Row[], change: () => Promise<boolean>) => Promise<boolean>

/**
 * Hands all back, from any process.
 *
 * @param find goes to the stored checkpoint
 * @returns how many were parked. If another process has taken over meanwhile, that one hands back the rest
 */
export async function handBack(
  bookmark: Intervening,
  checkpoint: Checkpoint,
  { store, environment, lead }: Pick<BookmarkOptions, 'store' | 'environment' | 'lead'>,
  find: () => Promise<unknown>,
): Promise<number> {
  const breath = new Breath(environment)
  const save: Save = (rows, change) => bookmark.change(rows, change)
  for (;;) {
    const leads = await bookmark.leads()
    if (!leads) await find()
    let count = 0
    for await (const piece of handedBackRows(store, checkpoint.name, breath)) count += piece.count
    if (count === 0) return 0
    if (!(await save([], () => checkpoint.beginHandingBack(leads ? 'leading' : 'outside')))) continue
    await lead.during(() => handBackRest(checkpoint, store, breath, save))
    return count
  }
}

/** Goes on with what was begun, in a new term. Returns false if this runner was overtaken. */
export async function finishHandingBack(
  checkpoint: Checkpoint,
  store: ProjectionStore,
  breath: Breath,
): Promise<boolean> {
  return (await checkpoint.raise([])) && handBackRest(checkpoint, store, breath, (_, change) => change())
}

async function handBackRest(
  checkpoint: Checkpoint,
  store: ProjectionStore,
  breath: Breath,
  save: Save,
): Promise<boolean> {
  for await (const { rows } of handedBackRows(store, checkpoint.name, breath)) {
    const advance = () => checkpoint.advance(checkpoint.place, rows, 'now')
    if (rows.length > 0 && !(await save(rows, advance))) return false
  }
  return save([], () => checkpoint.handedBack())
}
