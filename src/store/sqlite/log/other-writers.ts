/**
 * Notices that another process has appended to the file. SQLite tells nobody, but the system tells when the write-ahead
 * log is written to. Then this process looks where its own log ends. A commit can be seen only some time after it was
 * written, when the disk has answered, so it looks a few times, less and less often. This is only a hint: where the
 * system does not watch files, or loses a change, followers find the events at their next poll.
 */
import { type FSWatcher, watch } from 'node:fs'
import { startTimer, stopTimer, type Timer } from '../../../runtime/timers.ts'
import { logPathOf } from '../database/log-path.ts'

/** The pauses between a change and the looks after it, in milliseconds. */
const firstMs = 8
const lastMs = 512

interface OtherWritersOptions {
  /** The path of the database. */
  readonly path: string
  /** Reads where the log ends. */
  readonly head: () => number
  /** Called when it has grown. */
  readonly onGrown: () => void
}

export class OtherWriters {
  readonly #options: OtherWritersOptions
  #watcher: FSWatcher | undefined
  #timer: Timer | undefined
  #pauseMs = 0
  /** Where the log ended when it was last known. */
  #known = 0

  constructor(options: OtherWritersOptions) {
    this.#options = options
  }

  /** Begins to watch. A second call changes nothing. */
  watch(): void {
    if (this.#watcher !== undefined || this.#timer !== undefined) return
    this.#watchFile()
    this.#known = Math.max(this.#known, this.#head())
  }

  /** This process has appended up to a position, and wakes its followers itself. */
  appended(position: number): void {
    this.#known = Math.max(this.#known, position)
  }

  close(): void {
    stopTimer(this.#timer)
    this.#timer = undefined
    this.#watcher?.close()
    this.#watcher = undefined
  }

  #watchFile(): void {
    try {
      this.#watcher = watch(logPathOf(this.#options.path), { persistent: false }, () => this.#lookSoon())
      this.#watcher.on('error', () => this.close())
    } catch {
      // Where it cannot be watched, there are the polls.
    }
  }

  /** Where the log ends; what is known if it cannot be read. Reads show what is wrong with the file. */
  #head(): number {
    try {
      return this.#options.head()
    } catch {
      return this.#known
    }
  }

  /** Until the next look, nothing is watched: a busy file changes thousands of times a second. */
  #lookSoon(): void {
    this.#watcher?.close()
    this.#watcher = undefined
    this.#pauseMs = firstMs
    if (this.#timer === undefined) this.#lookLater()
  }

  #lookLater(): void {
    this.#timer = startTimer(() => this.#look(), this.#pauseMs)
    this.#timer.unref?.()
  }

  #look(): void {
    this.#timer = undefined
    this.#pauseMs *= 2
    if (this.#watcher === undefined) this.#watchFile()
    const head = this.#head()
    if (head > this.#known) {
      this.#known = head
      this.#options.onGrown()
    }
    if (this.#pauseMs <= lastMs) this.#lookLater()
  }
}
