/**
 * Opens a file store, in an order that matters: the directory, the lock, the format, the log, and the data beside it.
 * If one of them refuses, everything is released and nothing was changed.
 */
import { StoreError } from '../../../domain/error.ts'
import { refuseOption } from '../../../domain/options.ts'
import type { OpenOptions } from '../../store.ts'
import type { Disk } from '../database/disk.ts'
import { troubleOf } from '../database/failure.ts'
import { readFormat, readOrMakeFormat } from '../database/format.ts'
import { type Lock, lock } from '../database/lock.ts'
import { type Machine, thisMachine } from '../database/machine.ts'
import { FileStore } from '../file-store.ts'
import { type SegmentOptions, Segments } from '../log/segments.ts'
import { markUnsynced, unmarkUnsynced } from '../log/unsynced.ts'
import { FileRows } from '../rows/file-rows.ts'
import type { JournalOptions } from '../rows/journal.ts'
import { recover } from './recovery.ts'

/** Every setting of a file store. */
export interface FileStoreSettings extends SegmentOptions, JournalOptions {
  readonly disk: Disk
  readonly directory: string
  /** The machine that has the disk: this one by default. */
  readonly machine?: Machine
  /** Whether the store is made if there is none. True by default. */
  readonly migrate?: boolean
}

/** @throws DefinitionError `OPTION_INVALID`; StoreError of every code but `STORE_CLOSED` */
export async function openStore(settings: FileStoreSettings, options: OpenOptions): Promise<FileStore> {
  const { disk, directory, machine = thisMachine, migrate = true } = settings
  try {
    if (migrate) await makeDirectory(disk, directory)
    // Files of another version are not changed, nor is their lock.
    const made = await readFormat(disk, directory)
    if (made === undefined && !migrate) {
      const reason = 'there is none, and migrate is false'
      throw new StoreError('STORE_NOT_MIGRATED', { store: directory, reason })
    }
    const held = await lock(disk, directory, machine)
    try {
      if (held.takenOver !== undefined) {
        const message = `The lock of ${directory} was taken over from ${held.takenOver.owner}, which has ended without closing it`
        options.warn({ code: 'LOCK_TAKEN_OVER', message })
      }
      const log = await readOrMakeFormat(disk, directory, machine.newId)
      return await openParts(settings, options, { lock: held, log, machine })
    } catch (error) {
      await held.release().catch(() => undefined)
      throw error
    }
  } catch (cause) {
    throw troubleOf(directory, 'opening it', cause)
  }
}

async function openParts(
  settings: FileStoreSettings,
  options: OpenOptions,
  { lock, log, machine }: { readonly lock: Lock; readonly log: string; readonly machine: Machine },
): Promise<FileStore> {
  const { disk, directory, compactBytesMin, mayLoseOnPowerFailure } = settings
  const { warn, now } = options
  const { loop } = machine
  const { index, segments: list, cut, rebuilt, scanned, wasUnsynced } = await recover(disk, directory, log, machine)
  if (cut !== undefined) warn({ code: 'TORN_TAIL_CUT', message: cut })
  if (rebuilt !== undefined) {
    const message = `The index of ${directory} was not used (${rebuilt}) and was rebuilt from ${scanned} commits`
    warn({ code: 'INDEX_REBUILT', message })
  }
  const segments = new Segments({ disk, directory, lock }, settings, list)
  try {
    await segments.start()
    const place = { disk, directory, log, lock, loop, journal: { compactBytesMin, mayLoseOnPowerFailure } }
    const rows = await FileRows.open(place, index, options)
    if (mayLoseOnPowerFailure) await markUnsynced(disk, directory, index.end)
    else if (wasUnsynced) await unmarkUnsynced(disk, directory)
    if (mayLoseOnPowerFailure) {
      const message = `${directory} answers before its commits are on the disk (mayLoseOnPowerFailure): a power failure may lose them`
      warn({ code: 'DURABILITY_WEAKENED', message })
    }
    const commitsIndexed = index.count - scanned
    return new FileStore({
      disk,
      directory,
      log,
      lock,
      index,
      segments,
      rows,
      commitsIndexed,
      now,
      loop,
      syncsAtClosing: mayLoseOnPowerFailure,
    })
  } catch (error) {
    await segments.close().catch(() => undefined)
    throw error
  }
}

async function makeDirectory(disk: Disk, directory: string): Promise<void> {
  if ((await disk.kindOf(directory)) === 'file') {
    refuseOption('path', 'a directory', directory)
  }
  await disk.makeDirectory(directory)
}
