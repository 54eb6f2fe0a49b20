/**
 * The store in plain files: a directory with one append-only log that a person can read. It is the fastest durable
 * store for one process, and needs nothing installed. Only one process at a time may have it open. For several
 * processes, use another store.
 */
import { checkedFactory } from '../checked-store.ts'
import type { StoreFactory } from '../store.ts'
import { openStore } from './opening/open-store.ts'
import { type FileOptions, settle } from './options.ts'

/**
 * A store in the directory `path`, which is made if it does not exist.
 *
 *     await using bank = await Bank.start({ store: file('data/bank') })
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function file(path: string, options: FileOptions = {}): StoreFactory {
  const settings = settle(path, options)
  return checkedFactory({ name: 'file', open: (open) => openStore(settings, open) })
}

/**
 * Removes what was deleted or replaced from the files of rows and snapshots, such as a key that `forget` has destroyed.
 * The store does this by itself when its files have grown. No process may have it open.
 *
 * @throws StoreError as opening does: `STORE_LOCKED` if a process has it open
 */
export async function vacuum(path: string): Promise<void> {
  const store = await openStore(settle(path, {}), { warn: () => {}, now: Date.now })
  try {
    await store.vacuum()
  } finally {
    await store.close()
  }
}
