/** The caller's side of a thread that reads. Answers come in the order of the requests. */
import { Worker } from 'node:worker_threads'
import { type MnemeError, StoreError } from '../../../domain/error.ts'
import { errorOf, storeNamed } from '../database/failure.ts'
import type { FromReader, ReaderAnswer, ReaderRequest, ToReader } from '../database/protocol.ts'
import type { Settings } from '../options.ts'
import { readerProgram } from './reader-program.ts'

export class Reader {
  readonly #settings: Settings
  readonly #worker: Worker
  readonly #exited: Promise<void>
  #asked: PromiseWithResolvers<ReaderAnswer>[] = []
  /** Why it answers no more. */
  #ended: MnemeError | undefined

  constructor(settings: Settings) {
    const { path } = settings
    this.#settings = settings
    const worker = new Worker(readerProgram, {
      name: 'mneme sqlite reader',
      workerData: { settings },
      execArgv: [],
      eval: typeof readerProgram === 'string',
    })
    this.#worker = worker
    let cause: unknown
    worker.on('message', (message: FromReader) => this.#take(message))
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('messageerror', (error) => {
      cause = error
      void worker.terminate()
    })
    this.#exited = new Promise((resolve) => {
      worker.on('exit', () => {
        this.#end(
          new StoreError('STORE_UNAVAILABLE', { store: storeNamed(path), doing: 'reading: its thread ended' }, cause),
        )
        resolve()
      })
    })
    worker.unref()
  }

  /** Whether it takes no more requests. */
  get isEnded(): boolean {
    return this.#ended !== undefined
  }

  /** Resolves when its thread is gone. */
  get exited(): Promise<void> {
    return this.#exited
  }

  /** Makes a request. @throws StoreError */
  ask(request: ReaderRequest): Promise<ReaderAnswer> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    const asked = Promise.withResolvers<ReaderAnswer>()
    this.#asked.push(asked)
    // The process stays alive while somebody waits.
    this.#worker.ref()
    this.#worker.postMessage(request satisfies ToReader)
    return asked.promise
  }

  /** Ends the thread as soon as it can be. A statement that is running goes on until SQLite answers. */
  abandon(error: MnemeError): void {
    this.#end(error)
    this.#worker.unref()
    void this.#worker.terminate()
  }

  /** Closes its connection, and waits for the end of the thread. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return
    this.#worker.ref()
    this.#worker.postMessage('close' satisfies ToReader)
    await this.#exited
  }

  #take(message: FromReader): void {
    const [asked] = this.#asked
    if (asked === undefined) return
    this.#asked = this.#asked.slice(1)
    if (this.#asked.length === 0) this.#worker.unref()
    if ('answer' in message) asked.resolve(message.answer)
    else asked.reject(errorOf(this.#settings.path, 'reading', message.failure))
  }

  #end(error: MnemeError): void {
    this.#ended ??= error
    for (const { reject } of this.#asked) reject(this.#ended)
    this.#asked = []
  }
}
