/**
 * A journal of changes to data in memory: one checksummed line for each change, written before the change is made, so
 * that answered changes survive a killed process. It is synced only at changes that must last. After a power failure it
 * has the changes up to some point after the last sync and no later ones. That is enough for data that can be made
 * again from the log. When the journal is much larger than its live content, it is written again beside itself and
 * renamed.
 *
 * The checksum of a line continues that of the line before it, and the first one continues the name of the journal and
 * the id of the log. A line that is missing, or belongs to another place or journal, is therefore noticed.
 *
 * Changes happen one at a time. A change is a line of JSON, so a person can read what happened to a row.
 */
import { crc32 } from 'node:zlib'
import { StoreError } from '../../../domain/error.ts'
import { Breath, type EventLoop } from '../../../runtime/breath.ts'
import { type Disk, type DiskFile, replaceFile, writeFully } from '../database/disk.ts'
import { corrupt, troubleOf } from '../database/failure.ts'
import { checkInPlace, type HeldFile, hold } from '../database/in-place.ts'
import type { Lock } from '../database/lock.ts'
import { behindHole, checksumOf, LineBuffer, parseLine, unjudged, visitLines } from '../log/lines.ts'

/** The data that a journal keeps. It can apply changes again, and list few changes that make it. */
export interface JournalContents {
  /** Makes a change that was read from the journal. */
  replay(change: unknown): void
  /** The approximate number of bytes of `changes`. */
  readonly size: number
  /**
   * What a person must do before a damaged journal can be opened, or `undefined` if its end is cut like an unfinished
   * one.
   */
  readonly remedy: string | undefined
  /** The JSON of changes that make this data from nothing. */
  changes(): Iterable<string>
}

/** A change that was decided: what to write, and what to do after that. */
export interface Change<Result> {
  /** Without it nothing is written. */
  readonly json?: string
  /** Whether a power failure must not take it back. */
  readonly isDurable?: boolean
  readonly apply: () => Result
}

export interface JournalPlace {
  readonly disk: Disk
  readonly directory: string
  readonly name: string
  /** The id of the log beside it. */
  readonly log: string
  readonly lock: Pick<Lock, 'check'>
  readonly loop: EventLoop
}

export interface JournalOptions {
  /** A smaller journal is never written again. */
  readonly compactBytesMin: number
  /** If true, no change must last. */
  readonly mayLoseOnPowerFailure: boolean
}

/** The factor by which a journal may be larger than its live content. */
const growthMax = 4
const compactionBytesAtOnce = 1024 * 1024

export class Journal {
  readonly #disk: Disk
  readonly #directory: string
  readonly #name: string
  readonly #contents: JournalContents
  readonly #options: JournalOptions
  readonly #lines = new LineBuffer()
  /** The checksum that the first line continues. */
  readonly #seed: number
  /** The checksum that the next line continues. */
  #checksum: number
  readonly #lock: Pick<Lock, 'check'>
  #held: HeldFile
  #length: number
  #tail: Promise<unknown> = Promise.resolve()
  /** The error with which changes are refused, after a failure. */
  #halted: StoreError | undefined
  /** Whether it was renamed and the directory is not synced yet. */
  #isRenamed = false
  /** Whether something was written that is not synced. */
  #isDirty = false
  /** Whether all that the file has was synced by this process. */
  #isProven = false

  private constructor(
    place: JournalPlace,
    contents: JournalContents,
    options: JournalOptions,
    held: HeldFile,
    { length, checksum }: { readonly length: number; readonly checksum: number },
  ) {
    this.#seed = seedOf(place)
    this.#checksum = checksum
    this.#disk = place.disk
    this.#lock = place.lock
    this.#directory = place.directory
    this.#name = place.name
    this.#contents = contents
    this.#options = options
    this.#held = held
    this.#length = length
  }

  /**
   * Opens a journal, or begins one, and applies its changes to the contents. An unfinished line is cut, with everything
   * after it.
   *
   * @param onCut called with a text that says where, if something is cut
   * @throws StoreError `STORE_CORRUPT` for a complete line that is damaged, unless the contents can do without it
   */
  static async open(
    place: JournalPlace,
    contents: JournalContents,
    options: JournalOptions,
    onCut: (where: string) => void,
  ): Promise<Journal> {
    const { disk, directory, name } = place
    const path = `${directory}/${name}`
    if ((await disk.kindOf(path)) === 'none') await replaceFile(disk, directory, name, async () => undefined)
    const file = await disk.open(path, 'write')
    try {
      const { length } = await file.status()
      const { end, checksum, isDamaged } = await replayAll(
        file,
        { length, seed: seedOf(place) },
        contents,
        new Breath(place.loop),
      )
      if (end < length) {
        const reason = 'the line does not fit its checksum, or does not follow the line before it'
        const where = `${path}, byte ${end}`
        if (isDamaged && contents.remedy !== undefined) throw corrupt(directory, where, `${reason}; ${contents.remedy}`)
        await cut(file, end)
        onCut(`${where}: ${reason}; ${length - end} bytes were cut`)
      }
      return new Journal(place, contents, options, await hold(path, file), { length: end, checksum })
    } catch (error) {
      await file.close().catch(() => undefined)
      throw error
    }
  }

  /**
   * Decides on a change when all earlier ones are made, writes it, and makes it. If it cannot be written, nothing
   * changes.
   *
   * @throws the error of `decide`; StoreError `STORE_FULL`, `STORE_READ_ONLY`, `STORE_HALTED`, `STORE_UNAVAILABLE`
   */
  change<Result>(decide: () => Change<Result> | Promise<Change<Result>>): Promise<Result> {
    return this.#next(async () => {
      const { json, isDurable = false, apply } = await decide()
      if (json !== undefined) await this.#write(json)
      if (isDurable && !this.#options.mayLoseOnPowerFailure) await this.#sync()
      const result = apply()
      const sizeMax = Math.max(this.#options.compactBytesMin, this.#contents.size * growthMax)
      if (this.#length > sizeMax) await this.#compact().catch(() => undefined)
      return result
    })
  }

  /** Writes the journal again from what is in memory, and makes it durable. */
  compact(): Promise<void> {
    return this.#next(() => this.#compact())
  }

  /** Syncs and closes, when all earlier changes are made. */
  close(): Promise<void> {
    return this.#next(async () => {
      try {
        if (this.#isDirty && this.#halted === undefined) await this.#held.file.sync()
      } finally {
        await this.#held.file.close()
      }
    })
  }

  #next<Result>(step: () => Promise<Result>): Promise<Result> {
    const result = this.#tail.then(step)
    this.#tail = result.catch(() => undefined)
    return result
  }

  async #write(json: string): Promise<void> {
    if (this.#halted !== undefined) throw this.#halted
    await this.#lock.check()
    this.#lines.clear()
    this.#lines.add(this.#isProven ? this.#proving(json) : json, this.#checksum)
    const { bytes, checksum } = this.#lines
    this.#isDirty = true
    this.#isProven = false
    try {
      await writeFully(this.#held.file, bytes, this.#length)
    } catch (cause) {
      await this.#undoWrite(cause)
      throw troubleOf(this.#directory, `writing ${this.#name}`, cause)
    }
    try {
      await checkInPlace(this.#disk, this.#directory, this.#held)
    } catch (error) {
      await this.#undoWrite(error)
      throw error
    }
    this.#length += bytes.length
    this.#checksum = checksum
  }

  async #sync(): Promise<void> {
    try {
      await this.#held.file.sync()
      this.#isDirty = false
      this.#isProven = true
      if (this.#isRenamed) await this.#syncName()
    } catch (cause) {
      this.#halt('it could not be synced', cause)
      throw troubleOf(this.#directory, `syncing ${this.#name}`, cause)
    }
  }

  async #compact(): Promise<void> {
    await this.#lock.check()
    const path = `${this.#directory}/${this.#name}`
    const file = await this.#disk.open(`${path}.new`, 'create')
    let held: HeldFile
    let written: { readonly length: number; readonly checksum: number }
    try {
      held = await hold(path, file)
      written = await this.#writeChanges(file)
      await file.sync()
    } catch (error) {
      await file.close().catch(() => undefined)
      throw error
    }
    try {
      await this.#disk.rename(`${path}.new`, path)
    } catch (error) {
      // Either file may have the name now, so neither can be written to.
      this.#halt('renaming it failed', error)
      await file.close().catch(() => undefined)
      throw error
    }
    const old = this.#held.file
    this.#held = held
    this.#length = written.length
    this.#checksum = written.checksum
    this.#halted = undefined
    this.#isDirty = false
    this.#isProven = true
    await old.close().catch(() => undefined)
    // Until this is done, a power failure may bring back the old file: an earlier state, but a complete one.
    this.#isRenamed = true
    await this.#syncName()
  }

  async #syncName(): Promise<void> {
    await this.#disk.syncDirectory(this.#directory)
    this.#isRenamed = false
  }

  /** Cuts a line whose change is not made. Otherwise the end of a longer line would stand behind the next one. */
  async #undoWrite(cause: unknown): Promise<void> {
    await cut(this.#held.file, this.#length).catch(() => this.#halt('a write failed and could not be undone', cause))
  }

  /** What can be made again needs no proof: it is cut wherever it is damaged. */
  #proving(json: string): string {
    return this.#contents.remedy === undefined ? json : proving(json)
  }

  #halt(what: string, cause: unknown): void {
    const reason = `${this.#directory}/${this.#name} cannot be written any more: ${what}`
    this.#halted = new StoreError('STORE_HALTED', { store: this.#directory, reason }, cause)
  }

  /** Returns the number of bytes, and the checksum that the next line continues. */
  async #writeChanges(file: DiskFile): Promise<{ readonly length: number; readonly checksum: number }> {
    let length = 0
    let checksum = this.#seed
    const put = async () => {
      await writeFully(file, this.#lines.bytes, length)
      length += this.#lines.bytes.length
      this.#lines.clear()
    }
    this.#lines.clear()
    for (const json of this.#contents.changes()) {
      // The file gets its name only when all of it is synced.
      this.#lines.add(this.#proving(json), checksum)
      checksum = this.#lines.checksum
      if (this.#lines.bytes.length > compactionBytesAtOnce) await put()
    }
    await put()
    return { length, checksum }
  }
}

/** After a power failure, what is written next must not be mixed with what was cut. */
async function cut(file: DiskFile, length: number): Promise<void> {
  await file.truncate(length)
  await file.sync()
}

interface Replayed {
  /** Where the last good line ends. */
  readonly end: number
  readonly checksum: number
  /** Whether the line there was finished, or was synced. No killed process and no power failure leaves such a line. */
  readonly isDamaged: boolean
}

async function replayAll(
  file: DiskFile,
  { length, seed }: { readonly length: number; readonly seed: number },
  contents: JournalContents,
  breath: Breath,
): Promise<Replayed> {
  let [end, checksum, isDamaged] = [0, seed, false]
  /** From the first bad line on: the checksum that stands in the line before, whether or not it is right. */
  let stated: number | undefined
  const visit = (line: Buffer, offset: number): void => {
    const change = parseLine(line, undefined, stated ?? checksum)
    if (stated !== undefined) {
      isDamaged ||= isProof(change) || provesBehindHole(line)
      stated = statedIn(behindHole(line))
    } else if (change !== undefined && isReplayed(contents, change)) {
      checksum = checksumOf(line)
      end = offset + line.length
    } else {
      isDamaged = line.at(-1) === lineFeed && (!line.includes(0) || provesBehindHole(line))
      stated = statedIn(behindHole(line))
    }
  }
  await visitLines(file, { from: 0, to: length }, visit, breath)
  return { end, checksum, isDamaged }
}

/** A line that fits its checksum and is not a change was written by a person. */
function isReplayed(contents: JournalContents, change: unknown): boolean {
  try {
    contents.replay(change)
    return true
  } catch {
    return false
  }
}

/** A change whose line says that all before it was synced. Every change is a record. */
const proving = (json: string): string => `{"synced":true,${json.slice(1)}`
const isProof = (change: unknown): boolean => (change as { readonly synced?: unknown } | undefined)?.synced === true
const provesBehindHole = (line: Buffer): boolean => line.includes(0) && isProof(unjudged(behindHole(line)))
/** 0 if there is none: a damaged line may begin with anything, also with a minus. */
const statedIn = (line: Buffer): number => Math.max(0, checksumOf(line) || 0)

const lineFeed = 10
const seedOf = ({ log, name }: JournalPlace): number => crc32(`${log} ${name}`)
