/**
 * The log as files: one sequence of bytes, cut into segments that are named after the first position in them. A batch
 * is one write at the end of the last segment, made durable, and counts only after that. If anything fails, the file is
 * cut back to its old length and synced. If that fails too, it is unknown what the disk holds, and nothing more is
 * written until the store is opened again. This file knows nothing of the content of lines.
 */

import { StoreError } from '../../../domain/error.ts'
import { type Disk, type DiskFile, readFully, writeFully } from '../database/disk.ts'
import { corrupt, notStored, unreadable } from '../database/failure.ts'
import { checkInPlace, type HeldFile, hold } from '../database/in-place.ts'
import type { Lock } from '../database/lock.ts'
import { OpenFiles } from '../database/open-files.ts'
import { segmentName } from '../database/segment-name.ts'

/** One file of the log. */
export interface Segment {
  readonly name: string
  /** The position of the first commit in it. */
  readonly firstPosition: number
  /** The byte of the whole log at which it starts. */
  readonly base: number
  length: number
}

/** The place for a batch. */
interface Room {
  readonly held: HeldFile
  readonly segment: Segment
}

export interface SegmentOptions {
  readonly segmentBytesMax: number
  readonly mayLoseOnPowerFailure: boolean
}

export class Segments {
  readonly #disk: Disk
  readonly #directory: string
  readonly #options: SegmentOptions
  readonly #list: Segment[]
  readonly #files: OpenFiles
  readonly #lock: Pick<Lock, 'check'>
  /** The last segment, open for writing. */
  #last: HeldFile | undefined
  /** The error with which writes are refused, after a failure that could not be undone. */
  #halted: StoreError | undefined

  /** @param list the existing segments, checked, in order */
  constructor(
    { disk, directory, lock }: { readonly disk: Disk; readonly directory: string; readonly lock: Pick<Lock, 'check'> },
    options: SegmentOptions,
    list: readonly Segment[],
  ) {
    this.#disk = disk
    this.#directory = directory
    this.#lock = lock
    this.#options = options
    this.#list = [...list]
    this.#files = new OpenFiles(disk)
  }

  get list(): readonly Segment[] {
    return this.#list
  }

  /** Opens the last segment for writing, and syncs what an earlier process may have left unsynced in it. */
  async start(): Promise<void> {
    const last = this.#list.at(-1)
    if (last === undefined) return
    const path = this.#path(last.name)
    const file = await this.#disk.open(path, 'write')
    this.#files.keep(path, file)
    this.#last = await hold(path, file)
    await file.sync()
    await this.#disk.syncDirectory(this.#directory)
  }

  /**
   * Writes a batch at the end of the log and makes it durable.
   *
   * @throws StoreError `STORE_FULL`, `STORE_READ_ONLY`, `NOT_STORED`, `STORE_HALTED`: nothing was stored.
   *   `STORE_UNAVAILABLE`: that is unknown
   */
  async append(bytes: Uint8Array, firstPosition: number): Promise<void> {
    await this.check()
    const { held, segment } = await this.#roomFor(bytes.length, firstPosition)
    try {
      const how = this.#options.mayLoseOnPowerFailure ? 'write' : 'writeDurably'
      await writeFully(held.file, bytes, segment.length, how)
    } catch (cause) {
      await this.#cutBack(held.file, segment.length, cause)
      throw notStored(this.#directory, 'writing a batch', cause)
    }
    await this.#unlessHalted('writing a batch', () => checkInPlace(this.#disk, this.#directory, held))
    segment.length += bytes.length
  }

  /** @throws StoreError `STORE_HALTED` if nothing more may be written */
  async check(): Promise<void> {
    if (this.#halted === undefined) await this.#lock.check().catch((error) => this.#halt(error))
    if (this.#halted !== undefined) throw this.#halted
  }

  async mayWrite(): Promise<boolean> {
    return this.check().then(
      () => true,
      () => false,
    )
  }

  /**
   * Syncs what `append` did not sync. Otherwise it must not sync at all: the system reports a failure to one caller
   * only, and that must be the current batch.
   */
  async sync(): Promise<void> {
    if (this.#options.mayLoseOnPowerFailure && this.#halted === undefined) await this.#syncLast()
  }

  /** After a failure the system may have given the data up, and the next sync would report success. */
  async #syncLast(): Promise<void> {
    try {
      await this.#last?.file.sync()
    } catch (cause) {
      const reason = `${this.#last?.path} could not be synced`
      this.#halt(new StoreError('STORE_HALTED', { store: this.#directory, reason }, cause))
      throw cause
    }
  }

  /** The bytes of the whole log from one offset to another. */
  async read(from: number, to: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(to - from)
    let segment = this.#segmentAt(from)
    for (let next = from; next < to; segment++) {
      const { name, base, length } = this.#list[segment]!
      const end = Math.min(to, base + length)
      await this.#readFrom(name, bytes.subarray(next - from, end - from), next - base)
      next = end
    }
    return bytes
  }

  async close(): Promise<void> {
    try {
      await this.sync()
    } finally {
      await this.#files.close()
    }
  }

  /** Where in which file a byte of the whole log is, for people. */
  describe(offset: number): string {
    const { name, base } = this.#list[this.#segmentAt(offset)]!
    return `${this.#path(name)}, byte ${offset - base}`
  }

  async #readFrom(name: string, bytes: Buffer, position: number): Promise<void> {
    const path = this.#path(name)
    let count: number
    try {
      count = await this.#files.use(path, (file) => readFully(file, bytes, position))
    } catch (cause) {
      throw unreadable(this.#directory, `reading ${path}`, cause)
    }
    if (count < bytes.length) throw corrupt(this.#directory, path, 'it is shorter than it was')
  }

  async #roomFor(length: number, firstPosition: number): Promise<Room> {
    const segment = this.#list.at(-1)
    const held = this.#last
    if (segment !== undefined && held !== undefined) {
      const fits = segment.length + length <= this.#options.segmentBytesMax
      if (fits || segment.length === 0) return { held, segment }
    }
    try {
      // A later segment shows that the ones before it are complete.
      if (this.#options.mayLoseOnPowerFailure) await this.#syncLast()
      return await this.#roll(firstPosition)
    } catch (cause) {
      throw notStored(this.#directory, 'starting a segment of the log', cause)
    }
  }

  async #roll(firstPosition: number): Promise<Room> {
    const before = this.#list.at(-1)
    const name = segmentName(firstPosition)
    const path = this.#path(name)
    const file = await this.#disk.open(path, 'create')
    let held: HeldFile
    try {
      held = await hold(path, file)
      await this.#disk.syncDirectory(this.#directory)
    } catch (cause) {
      // The file that stays is empty, and empty segments are ignored.
      await file.close().catch(() => undefined)
      await this.#disk.remove(path).catch(() => undefined)
      throw cause
    }
    const base = before === undefined ? 0 : before.base + before.length
    const segment: Segment = { name, firstPosition, base, length: 0 }
    this.#list.push(segment)
    this.#files.keep(path, file)
    this.#last = held
    if (before !== undefined) await this.#files.release(this.#path(before.name))
    return { held, segment }
  }

  async #cutBack(file: DiskFile, length: number, cause: unknown): Promise<void> {
    try {
      await file.truncate(length)
      await file.sync()
    } catch {
      const { name } = this.#list.at(-1)!
      const reason = `writing to ${this.#path(name)} failed and could not be undone`
      this.#halt(new StoreError('STORE_HALTED', { store: this.#directory, reason }, cause))
      throw this.#unknown('writing a batch, and could not undo it', cause)
    }
  }

  /** Runs a check after a write. If it shows that the store is halted, the outcome of the write is unknown. */
  async #unlessHalted(doing: string, check: () => Promise<void>): Promise<void> {
    try {
      await check()
    } catch (cause) {
      this.#halt(cause as StoreError)
      throw this.#unknown(doing, cause)
    }
  }

  #halt(reason: StoreError): void {
    this.#halted = reason
  }

  #unknown(doing: string, cause: unknown): StoreError {
    return new StoreError('STORE_UNAVAILABLE', { store: this.#directory, doing }, cause)
  }

  #segmentAt(offset: number): number {
    let low = 0
    let high = this.#list.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#list[middle]!.base <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #path(name: string): string {
    return `${this.#directory}/${name}`
  }
}
