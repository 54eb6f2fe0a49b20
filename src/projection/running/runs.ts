/**
 * Runs that are begun and stopped, one after the other. The last call counts, also if earlier ones are still in
 * progress: what is begun during a stop begins after it, and what is stopped before it has begun does not run.
 */

export class Runs {
  #stopping = new AbortController()
  #running: Promise<void> | undefined

  /** Aborted when the last run has to end. */
  get signal(): AbortSignal {
    return this.#stopping.signal
  }

  /** Waits until a run that has to end has ended. */
  async ended(): Promise<void> {
    if (this.signal.aborted) await this.#running
  }

  /** @param run begins when the run before it has ended */
  begin(run: (signal: AbortSignal) => Promise<void>): void {
    this.#stopping = new AbortController()
    const { signal } = this.#stopping
    this.#running = Promise.resolve(this.#running).then(() => (signal.aborted ? undefined : run(signal)))
  }

  /** Waits until the run has ended. @returns false if another one was begun meanwhile */
  async stop(): Promise<boolean> {
    const stopped = this.#stopping
    stopped.abort()
    await this.#running
    return this.#stopping === stopped
  }
}
