/**
 * A bounded number of files that are open for reading. A file that is not in use is closed to make room for another. A
 * file in use stays open until its readers are done. The file that is being written stays open until it is finished.
 */
import type { Disk, DiskFile } from './disk.ts'

interface OpenFile {
  readonly file: Promise<DiskFile>
  users: number
  /**
   * `kept`: it is also written. `finished`: it was written, and is closed as soon as nothing reads it; later it is
   * opened only for reading.
   */
  state: 'read' | 'kept' | 'finished'
}

const openFilesMax = 64

export class OpenFiles {
  readonly #disk: Disk
  /** The files by path, the least recently used first. */
  readonly #files = new Map<string, OpenFile>()

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Keeps a file that the caller has opened. */
  keep(path: string, file: DiskFile): void {
    this.#files.set(path, { file: Promise.resolve(file), users: 0, state: 'kept' })
  }

  /** Says that nothing more is written to a kept file, and its content is durable. */
  async release(path: string): Promise<void> {
    const open = this.#files.get(path)
    if (open === undefined) return
    open.state = 'finished'
    await this.#closeIfDone(path, open)
  }

  async use<Result>(path: string, read: (file: DiskFile) => Promise<Result>): Promise<Result> {
    let open = this.#files.get(path)
    if (open === undefined) open = { file: this.#disk.open(path, 'read'), users: 0, state: 'read' }
    this.#files.delete(path)
    this.#files.set(path, open)
    open.users++
    try {
      return await read(await open.file)
    } catch (error) {
      // A failed open must not be kept as this file.
      if (open.state === 'read') open.state = 'finished'
      throw error
    } finally {
      open.users--
      await this.#closeIfDone(path, open)
      await this.#closeSome()
    }
  }

  async close(): Promise<void> {
    for (const [path, open] of [...this.#files]) await this.#drop(path, open)
  }

  async #closeIfDone(path: string, open: OpenFile): Promise<void> {
    if (open.state === 'finished' && open.users === 0) await this.#drop(path, open)
  }

  async #closeSome(): Promise<void> {
    for (const [path, open] of this.#files) {
      if (this.#files.size <= openFilesMax) return
      if (open.state !== 'kept' && open.users === 0) await this.#drop(path, open)
    }
  }

  async #drop(path: string, open: OpenFile): Promise<void> {
    if (this.#files.get(path) !== open) return
    this.#files.delete(path)
    // A file that was only read loses nothing when it is closed, and written data is durable.
    await open.file.then((opened) => opened.close()).catch(() => undefined)
  }
}
