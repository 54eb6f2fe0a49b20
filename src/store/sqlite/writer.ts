/**
 * The caller's end of the writer's thread. While one group of requests is being committed, everybody else's gather; when
 * its replies come, they go as the next group. So groups grow by themselves under load, a lone request waits for nobody,
 * and appends, projection steps, snapshots and leases take turns in the order in which they were asked for.
 *
 * A thread that dies leaves the outcome of the group in its hands unknown: those calls reject with `STORE_UNAVAILABLE`.
 * What was still waiting goes to a new thread. The thread keeps the process alive only while calls are under way.
 */
import { Worker } from 'node:worker_threads'
import { type MnemeError, OverloadError, StoreError } from '../../domain/error.ts'
import { errorOf, type FailureFacts, storeNamed } from './failure.ts'
import type { Settings } from './options.ts'
import type { CallName, Calls, FromWriter, Reply, Request, ToWriter } from './protocol.ts'

/** How much one group holds: requests, and the characters at which no further request joins. */
const groupRequestsMax = 2_000
const groupSizeMax = 8_000_000
/** Requests that may wait; over it a call rejects with `OVERLOADED`. */
const waitingMax = 100_000

interface Call {
  readonly request: Request
  readonly size: number
  readonly resolve: (answer: any) => void
  readonly reject: (error: unknown) => void
}

const threadUrl = new URL(`./writer-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

export class Writer {
  readonly #settings: Settings
  #waiting: Call[] = []
  #inFlight: readonly Call[] = []
  #worker: Worker | undefined
  #scheduled = false
  #onOpened: ((failure: MnemeError | undefined) => void) | undefined
  #onIdle: (() => void) | undefined

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Starts the thread; it makes or checks the database. @throws StoreError, DefinitionError */
  async open(): Promise<void> {
    const failure = await new Promise<MnemeError | undefined>((resolve) => {
      this.#onOpened = resolve
      this.#start().ref()
    })
    if (failure !== undefined) throw failure
  }

  /**
   * Asks for something, as part of the next transaction.
   *
   * @param size about how many characters it is
   * @throws StoreError; OverloadError `OVERLOADED`
   */
  call<Name extends CallName>(
    name: Name,
    request: Calls[Name]['request'],
    size: number,
  ): Promise<Calls[Name]['answer']> {
    if (this.#waiting.length >= waitingMax) {
      return Promise.reject(new OverloadError('OVERLOADED', { queue: 'waitingMax', sizeMax: waitingMax }))
    }
    const { promise, resolve, reject } = Promise.withResolvers<Calls[Name]['answer']>()
    this.#waiting.push({ request: { call: name, ...request } as unknown as Request, size, resolve, reject })
    this.#schedule()
    return promise
  }

  /** Waits for what is under way. */
  async settled(): Promise<void> {
    if (this.#waiting.length + this.#inFlight.length === 0) return
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
  }

  /** Ends the thread and with it the connection. To be called when all is settled. */
  async close(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    worker.ref()
    await new Promise<void>((resolve) => {
      worker.once('exit', () => resolve())
      worker.postMessage('close' satisfies ToWriter)
    })
  }

  /** Calls made in the same turn go together. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight.length > 0) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#send()
    })
  }

  #send(): void {
    if (this.#inFlight.length > 0) return
    if (this.#waiting.length === 0) {
      this.#worker?.unref()
      this.#onIdle?.()
      return
    }
    this.#inFlight = this.#take()
    const worker = this.#worker ?? this.#start()
    worker.ref()
    worker.postMessage(this.#inFlight.map(({ request }) => request) satisfies ToWriter)
  }

  #take(): readonly Call[] {
    let end = 0
    let size = 0
    while (end < this.#waiting.length && end < groupRequestsMax) {
      size += this.#waiting[end]!.size
      if (end > 0 && size > groupSizeMax) break
      end++
    }
    const group = this.#waiting.slice(0, end)
    this.#waiting = this.#waiting.slice(end)
    return group
  }

  #start(): Worker {
    const worker = new Worker(threadUrl, { name: 'mneme sqlite writer', workerData: this.#settings, execArgv: [] })
    let opened = false
    let failed: MnemeError | undefined
    let cause: unknown
    worker.on('message', (message: FromWriter) => {
      if ('replies' in message) this.#settle(message.replies)
      else if (message.opened === 'well') {
        opened = true
        this.#tellOpened(undefined)
      } else failed = errorOf(this.#settings.path, 'opening it', message.opened)
    })
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined
      if (opened) this.#lose(unavailable(this.#settings.path, 'writing: its thread ended', cause), this.#inFlight)
      else this.#fail(failed ?? unavailable(this.#settings.path, 'opening it', cause))
    })
    worker.unref()
    this.#worker = worker
    return worker
  }

  #settle(replies: readonly Reply[]): void {
    const group = this.#inFlight
    this.#inFlight = []
    group.forEach(({ request, resolve, reject }, i) => {
      const reply = replies[i]!
      if ('answer' in reply) resolve(reply.answer)
      else reject(this.#error(request, reply.failure))
    })
    this.#send()
  }

  #error(request: Request, failure: FailureFacts): MnemeError {
    return errorOf(this.#settings.path, doing[request.call], failure)
  }

  #tellOpened(failure: MnemeError | undefined): void {
    this.#onOpened?.(failure)
    this.#onOpened = undefined
    if (this.#inFlight.length === 0) this.#worker?.unref()
  }

  /** The database cannot be opened: nobody is served, and nothing of theirs was written. */
  #fail(error: MnemeError): void {
    this.#tellOpened(error)
    const waiting = this.#waiting
    this.#waiting = []
    this.#lose(error, [...this.#inFlight, ...waiting])
  }

  #lose(error: MnemeError, calls: readonly Call[]): void {
    this.#inFlight = []
    for (const { reject } of calls) reject(error)
    this.#send()
  }
}

const doing: { readonly [Name in CallName]: string } = {
  append: 'appending',
  saveStep: 'saving a step of a projection',
  resetProjection: 'resetting a projection',
  saveSnapshot: 'saving a snapshot',
  acquireLease: 'acquiring a lease',
  releaseLease: 'releasing a lease',
}

function unavailable(path: string, doing: string, cause: unknown): StoreError {
  return new StoreError('STORE_UNAVAILABLE', { store: storeNamed(path), doing }, cause)
}
