/** What a caller may choose about the file store: checked once, when the factory is made, before anything is opened. */
import { resolve } from 'node:path'
import { checkFlag, checkKeys, checkWhole, refuseOption } from '../../domain/options.ts'
import { nodeDisk } from './database/disk.ts'
import type { FileStoreSettings } from './open-store.ts'

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

/** @throws DefinitionError `OPTION_INVALID` */
export function settle(path: string, options: FileOptions): FileStoreSettings {
  checkKeys('file(path, options)', options, ['segmentBytesMax', 'mayLoseOnPowerFailure'])
  const { segmentBytesMax = segmentBytesDefault, mayLoseOnPowerFailure = false } = options
  if (typeof path !== 'string' || path === '') refuseOption('path', 'the path of a directory', path)
  checkWhole('segmentBytesMax', segmentBytesMax, 1)
  checkFlag('mayLoseOnPowerFailure', mayLoseOnPowerFailure)
  // Resolved now: the process may change its directory before it opens the store.
  return { disk: nodeDisk, directory: resolve(path), segmentBytesMax, mayLoseOnPowerFailure, compactBytesMin }
}
