/**
 * Runs the user's code with the studio, and again after each change of a file. The new code is loaded first; only if
 * that works, the process with the old code ends what it has begun, and then the new one opens the store at the same
 * address. So code that cannot be loaded takes nothing away, and no two processes use the store at once.
 */

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { wordsOf } from '../errors.ts'
import type { LoadedFile, ServeOptions } from './messages.ts'
import { UserProcess } from './user-process.ts'
import { WatchedFiles } from './watched-files.ts'

/** What happens, for the person who has started it. */
export interface Reporting {
  /** The studio is there, with this address, which stays the same. */
  started(address: string): void
  /** Files have changed. */
  changed(paths: readonly string[]): void
  /** The code does not work. */
  broken(message: string): void
}

export interface SuperviseOptions extends Omit<ServeOptions, 'baseline'> {
  readonly port: number | undefined
  readonly reporting: Reporting
  readonly signal: AbortSignal
}

/** Runs until the signal is aborted. All processes have ended then. */
export async function supervise(options: SuperviseOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-dev-'))
  try {
    await new Supervisor(options, folder).run()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

class Supervisor {
  readonly #options: SuperviseOptions
  readonly #folder: string
  readonly #files = new WatchedFiles()
  readonly #token = randomBytes(24).toString('base64url')
  readonly #aborted: Promise<void>
  #port: number | undefined
  #serving: UserProcess | undefined
  #builds = 0
  #hasStarted = false
  /** Where code that has run keeps its states, the newest first. A file is there when it is whole. */
  readonly #baselines: string[] = []

  constructor(options: SuperviseOptions, folder: string) {
    this.#options = options
    this.#folder = folder
    this.#port = options.port
    const { signal } = options
    this.#aborted = new Promise((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  get #isOver(): boolean {
    return this.#options.signal.aborted
  }

  async run(): Promise<void> {
    const { reporting } = this.#options
    try {
      while (!this.#isOver) {
        await this.#build()
        const changed = await Promise.race([this.#files.changed(), this.#aborted])
        if (changed !== undefined && !this.#isOver) reporting.changed(changed)
      }
    } finally {
      this.#files.close()
      await this.#serving?.stop()
    }
  }

  /** Loads the code as it is now, and lets it take over if it works. */
  async #build(): Promise<void> {
    const { target, isAllowedInProduction, isWritable } = this.#options
    const baseline = join(this.#folder, `states-${++this.#builds}`)
    const onFiles = (found: readonly LoadedFile[]) => this.#files.add(found)
    const next = new UserProcess({ target, isAllowedInProduction, isWritable, baseline }, onFiles)
    const loaded = await Promise.race([next.loaded, this.#aborted])
    if (loaded === undefined || loaded.failure !== undefined) {
      await next.stop()
      if (loaded?.failure !== undefined) this.#tellBroken(loaded.failure)
      return
    }
    await this.#serving?.stop()
    this.#serving = next
    await this.#start(next, baseline)
  }

  async #start(next: UserProcess, baseline: string): Promise<void> {
    const { reporting } = this.#options
    try {
      const before = this.#baselines.find((path) => existsSync(path))
      this.#baselines.unshift(baseline)
      const start = next.start({ port: this.#port, token: this.#token, before })
      const address = await Promise.race([start, this.#aborted])
      if (address === undefined) return
      if (!this.#hasStarted) reporting.started(address)
      this.#hasStarted = true
      this.#port = Number(new URL(address).port)
    } catch (error) {
      this.#tellBroken(wordsOf(error))
      return
    }
    void next.ended.then((reason) => {
      if (reason !== undefined) this.#tellBroken(reason)
    })
  }

  #tellBroken(message: string): void {
    this.#serving?.tellBroken(message)
    this.#options.reporting.broken(message)
  }
}
