/**
 * Everything of the outer world that the kernel and the projections use: time, timers, chance and ids. All of it is
 * injected, so that tests and the simulator own it.
 */

export interface Environment {
  /** The present time in milliseconds since 1970. Events carry it. */
  now(): number
  /**
   * Milliseconds since some moment, by a clock that nobody sets: it only goes forward. For how long something takes, or
   * is held.
   */
  elapsed(): number
  /**
   * Calls back once, after so many milliseconds. Returns a function that cancels it. A timer in the background does not
   * keep a process alive that has nothing else to do.
   */
  after(delayMs: number, callback: () => void, options?: { readonly background: boolean }): () => void
  /** Calls back as soon as the event loop has served what is due: input, timers. */
  defer(callback: () => void): void
  /** A number in [0, 1). */
  random(): number
  /** A new unique id. */
  newId(): string
  /**
   * A new id for a command, which nobody can guess: `~` and 22 letters, digits, `-` or `_`. Later ones are best sorted
   * behind.
   */
  newCommandId(): string
}

/**
 * Waits; an aborted signal ends the wait at once, without an error. Without `background` it keeps the process alive.
 */
export function sleep(
  environment: Environment,
  delayMs: number,
  signal?: AbortSignal,
  options: { readonly background: boolean } = { background: false },
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const finish = () => {
      cancel()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const cancel = environment.after(delayMs, finish, options)
    signal?.addEventListener('abort', finish, { once: true })
  })
}

/** Waits for some work, but no longer than this; what fails is left to the work's own caller. */
export async function waitAtMost(environment: Environment, timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const timeout = new AbortController()
  await Promise.race([work.catch(() => {}), sleep(environment, timeoutMs, timeout.signal)])
  timeout.abort()
}

/** A delay that doubles with every try from `firstMs` up to `maxMs`, half of it by chance, so that rivals part. */
export function backOffMs(environment: Environment, tries: number, firstMs: number, maxMs: number): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(tries, 30))
  return full / 2 + (full / 2) * environment.random()
}

/** Whether a moment is still to come; one that is further off than it can be shows that the clock was set back. */
export function isAhead(momentMs: number, nowMs: number, mostMs: number): boolean {
  return nowMs < momentMs && momentMs - nowMs <= mostMs
}
