/**
 * The parts of the outside world that the kernel and the projections use: time, timers, random numbers and ids. They
 * are injected, so that tests can control them.
 */

import type { Cipher } from './cipher.ts'

export interface Environment {
  /** The present time in milliseconds since 1970. It becomes the `recordedAt` of events. */
  now(): number
  /**
   * Milliseconds since some moment, by a monotonic clock, which is never set and only goes forward. For measuring how
   * long something takes or lasts.
   */
  elapsed(): number
  /**
   * Calls back once, after `delayMs` milliseconds. Returns a function that cancels the timer. A timer in the background
   * does not keep the process alive.
   */
  after(delayMs: number, callback: () => void, options?: { readonly background: boolean }): () => void
  /** Calls back when the event loop has handled the input and timers that are due. */
  defer(callback: () => void): void
  /** A number in [0, 1). */
  random(): number
  /** Makes a unique id. */
  newId(): string
  /**
   * Makes an id for a command that cannot be guessed: `~` and 22 letters, digits, `-` or `_`. Later ids should be
   * sorted after earlier ones.
   */
  newCommandId(): string
  /** Encrypts personal fields. The platform's own by default. */
  readonly cipher?: Cipher
}

/**
 * Waits. An aborted signal ends the wait at once, without an error. Without `background` it keeps the process alive.
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

/** Waits for some work, at most `timeoutMs`. Errors of the work are ignored here. */
export async function waitAtMost(environment: Environment, timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const timeout = new AbortController()
  await Promise.race([work.catch(() => {}), sleep(environment, timeoutMs, timeout.signal)])
  // Nobody reads the reason. Without one the platform makes an error with a stack.
  timeout.abort(null)
}

/** A delay that doubles with every try, from `firstMs` up to `maxMs`. Half of it is random, so that rivals separate. */
export function backOffMs(environment: Environment, tries: number, firstMs: number, maxMs: number): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(tries, 30))
  return full / 2 + (full / 2) * environment.random()
}

/**
 * Whether a time is still to come. If it is further away than `mostMs`, the clock was set back, and it counts as past.
 */
export function isAhead(momentMs: number, nowMs: number, mostMs: number): boolean {
  return nowMs < momentMs && momentMs - nowMs <= mostMs
}
