/** A process that runs the user's code with the studio (`serve.ts`), as `mneme dev` sees it. */
import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FromProcess, LoadedFile, ServeOptions, ToProcess } from './messages.ts'

/** How the code was loaded: with what is wrong if it was not. */
export interface Loaded {
  readonly failure?: string
}

/** How long a process may take to end what it has begun. */
const stopMs = 10_000

// The build compiles both files.
const program = fileURLToPath(new URL(`./serve${extname(import.meta.filename)}`, import.meta.url))

export class UserProcess {
  /** Resolves when the code is loaded, or cannot be. */
  readonly loaded: Promise<Loaded>
  /** Resolves when the process has ended, with what is wrong if nobody has asked it to. */
  readonly ended: Promise<string | undefined>
  readonly #child: ChildProcess
  readonly #started = Promise.withResolvers<string>()
  #isStopping = false

  /** @param onFiles is told the files that were loaded */
  constructor(options: ServeOptions, onFiles: (files: readonly LoadedFile[]) => void) {
    // What the user's code prints is no result of this program.
    this.#child = fork(program, [JSON.stringify(options)], { stdio: ['ignore', 2, 2, 'ipc'] })
    const loaded = Promise.withResolvers<Loaded>()
    let failure: string | undefined
    this.#child.on('message', (message: FromProcess) => {
      if ('files' in message) onFiles(message.files)
      if (message.kind === 'loaded') loaded.resolve({})
      else if (message.kind === 'started') this.#started.resolve(message.address)
      else if (message.kind === 'failed') {
        failure = message.message
        loaded.resolve({ failure })
      }
    })
    this.#child.on('error', () => {})
    this.loaded = loaded.promise
    this.ended = new Promise((resolve) => {
      this.#child.on('exit', (code, signal) => {
        const reason = failure ?? `The process has ended with ${signal ?? `code ${code}`}`
        loaded.resolve({ failure: reason })
        this.#started.reject(new Error(reason))
        resolve(this.#isStopping ? undefined : reason)
      })
    })
    this.#started.promise.catch(() => {})
  }

  /** @returns the address of the studio @throws Error if the process ends instead */
  start(options: Omit<Extract<ToProcess, { readonly kind: 'start' }>, 'kind'>): Promise<string> {
    this.#send({ kind: 'start', ...options })
    return this.#started.promise
  }

  /** Says that newer code does not work, and why; or that it does. */
  tellBroken(message: string | undefined): void {
    this.#send({ kind: 'broken', message })
  }

  /** Lets it end what it has begun. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#send({ kind: 'stop' })
    const late = setTimeout(() => this.#child.kill('SIGKILL'), stopMs)
    await this.ended
    clearTimeout(late)
  }

  #send(message: ToProcess): void {
    // One that has ended gets nothing more.
    if (this.#child.connected) this.#child.send(message, () => {})
  }
}
