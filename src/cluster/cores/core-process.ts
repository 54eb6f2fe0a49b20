/** One of the processes as the supervisor sees it. */
import cluster from 'node:cluster'
import { type FromCore, markOfCore, type ToCore } from './words.ts'

/** How a process ended. */
export interface CoreEnd {
  readonly reason: string
  /** The error that it told before. */
  readonly cause: Error | undefined
}

export class CoreProcess {
  readonly #worker = cluster.fork({ [markOfCore]: 'yes' })
  #told: Error | undefined
  #hasStarted = false
  /** Resolves when the domain runs in it. Never resolves if it ends before. */
  readonly started: Promise<void>
  /** Resolves when the process is gone. */
  readonly ended: Promise<CoreEnd>

  constructor(number: number, secret: string) {
    const started = Promise.withResolvers<void>()
    this.started = started.promise
    this.#worker.on('message', (message: FromCore) => {
      if (message.say === 'ready') this.#tell({ tell: 'start', number, secret })
      else if (message.say === 'failed') this.#told = Object.assign(new Error(message.reason), { stack: message.stack })
      else {
        this.#hasStarted = true
        started.resolve()
      }
    })
    // A message to a process that ends at this moment is lost. Its end is heard anyway.
    this.#worker.on('error', () => {})
    this.ended = new Promise((resolve) => {
      this.#worker.once('exit', (code, signal) => {
        const reason = this.#told?.message ?? (signal ? `it was ended by ${signal}` : `it ended with code ${code}`)
        resolve({ reason, cause: this.#told })
      })
    })
  }

  get hasStarted(): boolean {
    return this.#hasStarted
  }

  stop(): void {
    this.#tell({ tell: 'stop' })
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL')
  }

  #tell(message: ToCore): void {
    if (this.#worker.isConnected()) this.#worker.send(message, () => {})
  }
}
