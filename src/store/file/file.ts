/**
 * The store in plain files: a directory with one append-only log that a person can read. It is the fastest durable store
 * for one process, and needs nothing installed. One process at a time may have it open; for several, use another store.
 */
import { resolve } from 'node:path'
import { DefinitionError } from '../../domain/error.ts'
import { checkKeys } from '../../domain/options.ts'
import { checkedFactory } from '../checked-store.ts'
import type { StoreFactory } from '../store.ts'
import { nodeDisk } from './disk.ts'
import { openStore } from './open-store.ts'

/** Options of a file store. */
export interface FileOptions {
  /** A segment of the log that would grow over this gets a successor: 64 MiB by default. */
  readonly segmentBytesMax?: number
  /**
   * Answer before the commits are on the disk. A killed process loses nothing then, but a power failure may. Warns at
   * opening (`DURABILITY_WEAKENED`). Off by default.
   */
  readonly mayLoseOnPowerFailure?: boolean
}

const segmentBytesDefault = 64 * 1024 * 1024
const compactBytesMin = 1024 * 1024

/**
 * A store in the directory `path`, which is made if it is not there.
 *
 *     await using bank = await Bank.start({ store: file('data/bank') })
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function file(path: string, options: FileOptions = {}): StoreFactory {
  checkKeys('file(path, options)', options, ['segmentBytesMax', 'mayLoseOnPowerFailure'])
  const { segmentBytesMax = segmentBytesDefault, mayLoseOnPowerFailure = false } = options
  if (typeof path !== 'string' || path === '') {
    throw new DefinitionError('OPTION_INVALID', { option: 'path', expected: 'the path of a directory', found: path })
  }
  if (!Number.isSafeInteger(segmentBytesMax) || segmentBytesMax < 1) {
    const facts = { option: 'segmentBytesMax', expected: 'a whole number from 1', found: segmentBytesMax }
    throw new DefinitionError('OPTION_INVALID', facts)
  }
  if (typeof mayLoseOnPowerFailure !== 'boolean') {
    const facts = { option: 'mayLoseOnPowerFailure', expected: 'true or false', found: mayLoseOnPowerFailure }
    throw new DefinitionError('OPTION_INVALID', facts)
  }
  // Resolved now: the process may change its directory before it opens the store.
  const settings = { disk: nodeDisk, directory: resolve(path), segmentBytesMax, mayLoseOnPowerFailure, compactBytesMin }
  return checkedFactory({ name: 'file', open: (open) => openStore(settings, open) })
}
