/**
 * Watches files for another content. Their folders are watched, because editors replace files, and what the operating
 * system tells is only a hint: the contents are compared.
 */
import { type FSWatcher, watch } from 'node:fs'
import { dirname } from 'node:path'
import { hashOf } from './loaded-files.ts'
import type { LoadedFile } from './messages.ts'

/** Editors write in several steps. */
const quietMs = 60

export class WatchedFiles {
  /** The hashes of the contents that are known, by path. */
  readonly #known = new Map<string, string>()
  readonly #folders = new Map<string, FSWatcher>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #changed = Promise.withResolvers<readonly string[]>()

  /** Watches files, with the contents that somebody has loaded. */
  add(files: readonly LoadedFile[]): void {
    for (const [path, hash] of files) {
      this.#known.set(path, hash)
      this.#watch(dirname(path))
    }
    // A file may have changed before it was watched.
    if (files.length > 0) this.#lookSoon()
  }

  /** The files that have changed, when they have. What changes after that is told by the next call. */
  async changed(): Promise<readonly string[]> {
    const paths = await this.#changed.promise
    this.#changed = Promise.withResolvers()
    return paths
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const folder of this.#folders.values()) folder.close()
  }

  #watch(folder: string): void {
    if (this.#folders.has(folder)) return
    try {
      const watcher = watch(folder, () => this.#lookSoon())
      // The folder was removed: its files are missed when they are compared.
      watcher.on('error', () => watcher.close())
      this.#folders.set(folder, watcher)
    } catch {
      // There is no such folder.
    }
  }

  #lookSoon(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#look(), quietMs)
  }

  #look(): void {
    const found = [...this.#known].map(([path, hash]) => ({ path, hash, now: hashOf(path) }))
    const changed = found.filter(({ hash, now }) => hash !== now)
    for (const { path, now } of changed) this.#known.set(path, now)
    if (changed.length > 0) this.#changed.resolve(changed.map(({ path }) => path))
  }
}
