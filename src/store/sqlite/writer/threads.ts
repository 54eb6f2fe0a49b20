/**
 * The threads that write, on the caller's side. The stores of a process share a few: a thread costs some 10 MB, and a
 * database on it much less. Up to a number of stores each has a thread alone. A thread ends when its last store closes.
 *
 * What one store does on a thread can make others wait for as long as one of its transactions takes, so a thread with
 * few stores is chosen. A failure concerns only its own store, unless the thread itself dies.
 */
import { Worker } from 'node:worker_threads'
import type { FromThread, FromWriter, Opening, ToThread, ToWriter } from '../database/protocol.ts'
import { writerProgram } from './writer-program.ts'

/** The number of threads in a process. */
const threadsMax = 4

/** The side of a store. */
export interface Listener {
  hear(message: Exclude<FromWriter, { readonly closed: unknown }>): void
  /** Called once, when the database is closed or the thread has died. */
  end(cause: unknown): void
}

/** A store's connection to its thread. */
export interface Line {
  post(message: ToWriter): void
  /** Whether the process must not end, because an answer is expected. */
  hold(isExpecting: boolean): void
  /** Resolves when the database is closed, and the thread has ended if it was the last one there. */
  readonly ended: Promise<void>
}

const threads = new Set<Thread>()

/** Opens a database on one of the threads. */
export function connect(opening: Opening, listener: Listener): Line {
  const [first, ...others] = threads
  const thread =
    first === undefined || threads.size < threadsMax
      ? new Thread((ended) => threads.delete(ended))
      : others.reduce((least, each) => (each.size < least.size ? each : least), first)
  threads.add(thread)
  return thread.open(opening, listener)
}

class Thread {
  readonly #worker: Worker
  readonly #onEnd: (thread: Thread) => void
  readonly #listeners = new Map<number, Listener>()
  readonly #expecting = new Set<number>()
  readonly #exit: Promise<void>
  #next = 0
  #cause: unknown

  constructor(onEnd: (thread: Thread) => void) {
    this.#onEnd = onEnd
    const worker = new Worker(writerProgram, {
      name: 'mneme sqlite writer',
      execArgv: [],
      eval: typeof writerProgram === 'string',
    })
    this.#worker = worker
    worker.unref()
    worker.on('message', (message: FromThread) => this.#hear(message))
    worker.on('error', (error) => {
      this.#cause = error
    })
    // What it sent cannot be read, so its callers would wait for ever. Its end answers them.
    worker.on('messageerror', (error) => {
      this.#cause = error
      void worker.terminate()
    })
    this.#exit = new Promise((resolve) => {
      worker.on('exit', () => {
        onEnd(this)
        const listeners = [...this.#listeners.values()]
        this.#listeners.clear()
        for (const listener of listeners) listener.end(this.#cause)
        resolve()
      })
    })
  }

  /** The number of its databases. */
  get size(): number {
    return this.#listeners.size
  }

  open(opening: Opening, listener: Listener): Line {
    const to = this.#next++
    const ended = Promise.withResolvers<void>()
    const end = (cause: unknown) => {
      this.#hold(to, false)
      listener.end(cause)
      if (this.size > 0) return ended.resolve()
      this.#leave()
      void this.#exit.then(ended.resolve)
    }
    this.#listeners.set(to, { hear: (message) => listener.hear(message), end })
    const post = (message: ToWriter) => this.#worker.postMessage({ to, message } satisfies ToThread)
    post({ open: opening })
    return { post, hold: (isExpecting) => this.#hold(to, isExpecting), ended: ended.promise }
  }

  #hear({ from, message }: FromThread): void {
    const listener = this.#listeners.get(from)
    if ('closed' in message) {
      this.#listeners.delete(from)
      listener?.end(message.closed === undefined ? undefined : new Error(message.closed))
    } else listener?.hear(message)
  }

  /** While an answer is expected, the thread keeps the process alive. */
  #hold(database: number, isExpecting: boolean): void {
    if (isExpecting) this.#expecting.add(database)
    else this.#expecting.delete(database)
    if (this.#expecting.size > 0) this.#worker.ref()
    else this.#worker.unref()
  }

  /** From now on no store gets this thread. Its end is waited for, so it keeps the process alive. */
  #leave(): void {
    this.#onEnd(this)
    this.#worker.ref()
    this.#worker.postMessage('leave' satisfies ToThread)
  }
}
