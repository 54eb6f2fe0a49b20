/**
 * The platform's timers as they were when this was loaded. A test that fakes timers later (Jest, Vitest, Sinon,
 * node:test) means its own program's; those of a store, on which callers wait, go on. Only the date is left to it:
 * `Date.now` is asked each time.
 *
 * Tidy: uses the platform because everybody else is to take timers from here, and from nowhere else.
 */

/** What not every platform has. */
interface Platform {
  readonly setImmediate?: (callback: () => void) => unknown
}

/** A timer, which Node lets not keep the process alive. */
export interface Timer {
  readonly unref?: () => unknown
}

const { setTimeout, clearTimeout, queueMicrotask } = globalThis
const { setImmediate } = globalThis as Platform

/** Calls back once, after so many milliseconds. */
export const startTimer = (callback: () => void, delayMs: number): Timer => setTimeout(callback, delayMs)

/** Does nothing if it has gone off or there is none. */
export const stopTimer = (timer: Timer | undefined): void => clearTimeout(timer as Parameters<typeof clearTimeout>[0])

/** Calls back as soon as the event loop has served what is due: input, timers. */
export const defer: (callback: () => void) => unknown =
  setImmediate === undefined ? (callback) => setTimeout(callback, 0) : (callback) => setImmediate(callback)

/** The same as a promise. */
export const turn = (): Promise<void> => new Promise((resolve) => void defer(resolve))

/** Calls back when what runs now is done, before anything else of the event loop. */
export const soon = (callback: () => void): void => queueMicrotask(callback)

/** Milliseconds from some moment on, by a clock that nobody sets. */
export const elapsedMs: () => number = performance.now.bind(performance)

/** Waits. */
export const rest = (forMs: number): Promise<void> => new Promise((resolve) => void startTimer(resolve, forMs))
