/** The options of the file store. They are checked when the factory is made, before anything is opened. */
import { resolve } from 'node:path'
import { checkFlag, checkKeys, checkWhole, refuseOption } from '../../domain/options.ts'
import { nodeDisk } from './database/disk.ts'
import type { FileStoreSettings } from './opening/open-store.ts'

/** Options of a file store. */
export interface FileOptions {
  /**
   * The greatest size of a segment of the log, 64 MiB by default. A batch that would exceed it begins a new segment.
   */
  readonly segmentBytesMax?: number
  /** Whether the store is made if there is none. Otherwise that is `STORE_NOT_MIGRATED`. True by default. */
  readonly migrate?: boolean
  /**
   * Answers before the commits are on the disk. A killed process then loses nothing, but a power failure may. Warns at
   * opening (`DURABILITY_WEAKENED`). False by default.
   */
  readonly mayLoseOnPowerFailure?: boolean
}

const segmentBytesDefault = 64 * 1024 * 1024
const compactBytesMin = 1024 * 1024

/** @throws DefinitionError `OPTION_INVALID` */
export function settle(path: string, options: FileOptions): FileStoreSettings {
  checkKeys('file(path, options)', options, ['segmentBytesMax', 'migrate', 'mayLoseOnPowerFailure'])
  const { segmentBytesMax = segmentBytesDefault, migrate = true, mayLoseOnPowerFailure = false } = options
  if (typeof path !== 'string' || path === '') refuseOption('path', 'the path of a directory', path)
  checkWhole('segmentBytesMax', segmentBytesMax, 1)
  checkFlag('migrate', migrate)
  checkFlag('mayLoseOnPowerFailure', mayLoseOnPowerFailure)
  // Resolved now, because the process may change its directory before it opens the store.
  const directory = resolve(path)
  return { disk: nodeDisk, directory, migrate, segmentBytesMax, mayLoseOnPowerFailure, compactBytesMin }
}
