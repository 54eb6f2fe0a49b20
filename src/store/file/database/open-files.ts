/**
 * Files that are open for reading, at most so many: one that is not in use is closed for another. A file in use stays
 * open until its readers are done. The file that is being written is kept open until it is finished.
 */
import type { Disk, DiskFile } from './disk.ts'

interface OpenFile {
  readonly file: Promise<DiskFile>
  users: number
  /**
   * `kept` is written too; `finished` was, and is closed as soon as nobody reads it: it is opened again for reading
   * alone.
   */
  state: 'read' | 'kept' | 'finished'
}

const openFilesMax = 64

export class OpenFiles {
  readonly #disk: Disk
  /** By path, the least recently used first. */
  readonly #files = new Map<string, OpenFile>()

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Keeps a file that somebody else opened. */
  keep(path: string, file: DiskFile): void {
    this.#files.set(path, { file: Promise.resolve(file), users: 0, state: 'kept' })
  }

  /** Nothing more is written to a kept file, and what was is durable. */
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
      // An open that failed must not be remembered as this file.
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
    // A file that was only read has nothing to lose when it is closed, and what was written is durable.
    await open.file.then((opened) => opened.close()).catch(() => undefined)
  }
}
