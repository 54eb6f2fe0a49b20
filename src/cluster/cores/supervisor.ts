/**
 * Keeps the processes of `runOnAllCores` running: replaces one that ends, gives up if that happens too often, and stops
 * them one after the other, so that each can give what it has to the others.
 */
import { randomBytes } from 'node:crypto'
import { ClusterError } from '../../domain/error.ts'
import { warnTo } from '../../runtime/logger.ts'
import { elapsedMs } from '../../runtime/timers.ts'
import type { Warn } from '../../runtime/warning.ts'
import { type CoreEnd, CoreProcess } from './core-process.ts'
import type { SettledCores } from './options.ts'
import { aborted, within } from './waiting.ts'

/** The time in which `restartsMax` counts. */
const restartsWithinMs = 60_000
/** The pause before a process is replaced. It doubles with each that was replaced lately. */
const pauseMs = 50
const pauseMsMax = 5000
const signals = ['SIGTERM', 'SIGINT'] as const

type SupervisorOptions = Pick<
  SettledCores<unknown, unknown>,
  'processes' | 'restartsMax' | 'stopTimeoutMs' | 'signal' | 'log'
>

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #warn: Warn
  readonly #secret = randomBytes(32).toString('hex')
  readonly #cores = new Map<number, CoreProcess>()
  /** When processes were replaced lately. */
  #restarts: number[] = []
  readonly #stopping = new AbortController()
  #failure: ClusterError | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#warn = warnTo(options.log)
  }

  /** Runs until it is told to stop. @throws ClusterError `PROCESS_NOT_STARTED`, `PROCESSES_FAILING` */
  async run(): Promise<void> {
    const { processes, signal } = this.#options
    const onSignal = () => {
      // Who asks twice does not want to wait.
      if (this.#stopping.signal.aborted) for (const core of this.#cores.values()) core.kill()
      this.#stopping.abort()
    }
    const onAbort = () => this.#stopping.abort()
    for (const name of signals) process.on(name, onSignal)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    try {
      // The first one prepares the store, and finds what is wrong with the options.
      const kept = [this.#keep(1)]
      await Promise.race([this.#cores.get(1)?.started, aborted(this.#stopping.signal)])
      for (let number = 2; number <= processes; number++) kept.push(this.#keep(number))
      await aborted(this.#stopping.signal)
      await this.#stopAll()
      await Promise.all(kept)
    } finally {
      for (const name of signals) process.off(name, onSignal)
      signal?.removeEventListener('abort', onAbort)
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Keeps a process of this number running. */
  async #keep(number: number): Promise<void> {
    for (let isFirst = true; !this.#stopping.signal.aborted; isFirst = false) {
      const core = new CoreProcess(number, this.#secret)
      this.#cores.set(number, core)
      const end = await core.ended
      this.#cores.delete(number)
      if (this.#stopping.signal.aborted) return
      if (isFirst && !core.hasStarted) {
        const { reason, cause } = end
        return this.#giveUp(new ClusterError('PROCESS_NOT_STARTED', { number, reason }, cause))
      }
      await this.#beforeReplacing(number, end)
    }
  }

  async #beforeReplacing(number: number, { reason, cause }: CoreEnd): Promise<void> {
    const { restartsMax } = this.#options
    const now = elapsedMs()
    this.#restarts = [...this.#restarts.filter((at) => now - at < restartsWithinMs), now]
    const restarts = this.#restarts.length
    if (restarts > restartsMax) {
      return this.#giveUp(
        new ClusterError('PROCESSES_FAILING', { restarts, withinMs: restartsWithinMs, reason }, cause),
      )
    }
    const message = `The process ${number} of runOnAllCores has ended and is replaced: ${reason}`
    this.#warn({ code: 'PROCESS_REPLACED', message, ...(cause !== undefined && { cause }) })
    await within(Math.min(pauseMs * 2 ** (restarts - 1), pauseMsMax), aborted(this.#stopping.signal))
  }

  #giveUp(failure: ClusterError): void {
    this.#failure ??= failure
    this.#stopping.abort()
  }

  async #stopAll(): Promise<void> {
    const { stopTimeoutMs } = this.#options
    const until = elapsedMs() + stopTimeoutMs
    const cores = [...this.#cores].sort(([a], [b]) => a - b).map(([, core]) => core)
    for (const core of cores) {
      core.stop()
      await within(until - elapsedMs(), core.ended)
    }
    await within(stopTimeoutMs, Promise.all(cores.map(({ ended }) => ended)))
    for (const core of this.#cores.values()) core.kill()
  }
}
