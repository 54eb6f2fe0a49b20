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
