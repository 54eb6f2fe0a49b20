/**
 * Files that are open for reading, at most so many: one that is not in use is closed for another. A file in use stays
 * open until its readers are done.
 */
import type { Disk, DiskFile } from './disk.ts'

interface OpenFile {
  readonly file: Promise<DiskFile>
  users: number
  /** Whether it is kept open until `close`: it is being written too. */
  readonly kept: boolean
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
    this.#files.set(path, { file: Promise.resolve(file), users: 0, kept: true })
  }

  /** From now on a kept file may be closed like any other. */
  release(path: string): void {
    const open = this.#files.get(path)
    if (open !== undefined) this.#files.set(path, { ...open, kept: false })
  }

  async use<Result>(path: string, read: (file: DiskFile) => Promise<Result>): Promise<Result> {
    let open = this.#files.get(path)
    if (open === undefined) open = { file: this.#disk.open(path, 'read'), users: 0, kept: false }
    this.#files.delete(path)
    this.#files.set(path, open)
    open.users++
    try {
      return await read(await open.file)
    } catch (error) {
      // An open that failed must not be remembered as this file.
      if (!open.kept && this.#files.get(path) === open && open.users === 1) await this.#drop(path, open)
      throw error
    } finally {
      open.users--
      await this.#closeSome()
    }
  }

  async close(): Promise<void> {
    for (const [path, open] of [...this.#files]) await this.#drop(path, open)
  }

  async #closeSome(): Promise<void> {
    if (this.#files.size <= openFilesMax) return
    for (const [path, open] of this.#files) {
      if (!open.kept && open.users === 0) return this.#drop(path, open)
    }
  }

  async #drop(path: string, { file }: OpenFile): Promise<void> {
    this.#files.delete(path)
    // A file that was only read has nothing to lose when it is closed.
    await file.then((opened) => opened.close()).catch(() => undefined)
  }
}
