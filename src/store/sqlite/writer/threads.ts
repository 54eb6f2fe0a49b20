/**
 * The threads that write, on the caller's side. The stores of a process share a few: a thread costs some 10 MB, and a
 * database on it much less. Up to a number of stores each has a thread alone. A thread without a store waits a moment
 * for the next one, since its start takes several times as long as all else that opens a store; then it ends.
 *
 * What one store does on a thread can make others wait for as long as one of its transactions takes, so a thread with
 * few stores is chosen. A failure concerns only its own store, unless the thread itself dies.
 */
import { Worker } from 'node:worker_threads'
import { startTimer, stopTimer, type Timer } from '../../../runtime/timers.ts'
import type { FromThread, FromWriter, Opening, ToThread, ToWriter } from '../database/protocol.ts'
import { answerMsMax, Overdue } from './overdue.ts'
import { writerProgram } from './writer-program.ts'

/** The number of threads in a process. */
const threadsMax = 4

/** How long a thread waits for another store when its last one has closed. Meanwhile the process may end. */
const idleMsMax = 2000

/** The side of a store. */
export interface Listener {
  hear(message: Exclude<FromWriter, { readonly closed: unknown }>): void
  /** Called once, when the database is closed or the thread has died. */
  end(cause: unknown): void
  /** Called when the thread has not answered for long. */
  slow(held: Held): void
}

/** A thread that does not answer. */
export interface Held {
  /** The path of the database whose message it is at, as far as this is known. */
  readonly path: string
  /** How many stores have the thread. */
  readonly stores: number
  readonly ms: number
}

/** A store's connection to its thread. */
export interface Line {
  post(message: ToWriter): void
  /** Whether the process must not end, because an answer is expected. */
  hold(isExpecting: boolean): void
  /** Resolves when the database is closed. */
  readonly ended: Promise<void>
}

const threads = new Set<Thread>()

/** What tests choose themselves. The first store of a thread decides. */
interface ThreadOptions {
  /** After how long without an answer a listener is told. */
  readonly slowMs?: number
  /** How long a thread without a store waits for another one. */
  readonly idleMs?: number
}

/** Opens a database on one of the threads. */
export function connect(
  opening: Opening,
  listener: Listener,
  { slowMs = answerMsMax, idleMs = idleMsMax }: ThreadOptions = {},
): Line {
  const all = [...threads]
  const thread =
    all.find((each) => each.size === 0 && each.slowMs === slowMs && each.idleMs === idleMs) ??
    (all.length < threadsMax
      ? new Thread((ended) => threads.delete(ended), slowMs, idleMs)
      : all.reduce((least, each) => (each.size < least.size ? each : least)))
  threads.add(thread)
  return thread.open(opening, listener)
}

class Thread {
  readonly slowMs: number
  readonly idleMs: number
  readonly #worker: Worker
  readonly #onEnd: (thread: Thread) => void
  readonly #listeners = new Map<number, Listener>()
  readonly #expecting = new Set<number>()
  readonly #paths = new Map<number, string>()
  readonly #overdue: Overdue
  #idle: Timer | undefined
  #next = 0
  #cause: unknown

  constructor(onEnd: (thread: Thread) => void, slowMs: number, idleMs: number) {
    this.slowMs = slowMs
    this.idleMs = idleMs
    this.#onEnd = onEnd
    this.#overdue = new Overdue((database, oldest) => {
      const held = { path: this.#paths.get(oldest)!, stores: this.size, ms: slowMs }
      this.#listeners.get(database)?.slow(held)
    }, slowMs)
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
    worker.on('exit', () => {
      onEnd(this)
      const listeners = [...this.#listeners.values()]
      for (const database of [...this.#listeners.keys()]) this.#forget(database)
      for (const listener of listeners) listener.end(this.#cause)
      stopTimer(this.#idle)
    })
  }

  /** The number of its databases. */
  get size(): number {
    return this.#listeners.size
  }

  open(opening: Opening, listener: Listener): Line {
    stopTimer(this.#idle)
    const to = this.#next++
    const ended = Promise.withResolvers<void>()
    const end = (cause: unknown) => {
      this.#hold(to, false)
      listener.end(cause)
      ended.resolve()
      if (this.size > 0) return
      stopTimer(this.#idle)
      this.#idle = startTimer(() => this.#leave(), this.idleMs)
      this.#idle.unref?.()
    }
    const { path } = opening.settings
    this.#listeners.set(to, { hear: (message) => listener.hear(message), end, slow: (held) => listener.slow(held) })
    this.#paths.set(to, path)
    const post = (message: ToWriter) => {
      this.#worker.postMessage({ to, message } satisfies ToThread)
      if (this.#listeners.has(to)) this.#overdue.sent(to)
    }
    post({ open: opening })
    return { post, hold: (isExpecting) => this.#hold(to, isExpecting), ended: ended.promise }
  }

  #hear({ from, message }: FromThread): void {
    const listener = this.#listeners.get(from)
    // What was cut is told before the answer.
    if (!('cut' in message)) this.#overdue.answered(from)
    if ('closed' in message) {
      this.#forget(from)
      listener?.end(message.closed === undefined ? undefined : new Error(message.closed))
    } else listener?.hear(message)
  }

  #forget(database: number): void {
    this.#listeners.delete(database)
    this.#paths.delete(database)
    this.#overdue.ended(database)
  }

  /** While an answer is expected, the thread keeps the process alive. */
  #hold(database: number, isExpecting: boolean): void {
    if (isExpecting) this.#expecting.add(database)
    else this.#expecting.delete(database)
    if (this.#expecting.size > 0) this.#worker.ref()
    else this.#worker.unref()
  }

  /** From now on no store gets this thread. */
  #leave(): void {
    this.#onEnd(this)
    this.#worker.postMessage('leave' satisfies ToThread)
  }
}
