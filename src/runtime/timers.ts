/**
 * The timers of the platform, as they were when this file was loaded. If a test fakes timers later (Jest, Vitest,
 * Sinon, node:test), it wants to fake those of its own program. The timers of Mneme must go on, because callers wait
 * for them. Only the date can be faked: `Date.now` is called each time.
 *
 * Tidy: uses the platform because all other files take their timers from here.
 */
import type { EventLoop } from './breath.ts'

/** Parts that not every platform has. */
interface Platform {
  readonly setImmediate?: (callback: () => void) => unknown
}

/** A timer. With `unref`, which Node has, it does not keep the process alive. */
export interface Timer {
  readonly unref?: () => unknown
}

const { setTimeout, clearTimeout, queueMicrotask } = globalThis
const { setImmediate } = globalThis as Platform

/** Calls back once, after `delayMs` milliseconds. */
export const startTimer = (callback: () => void, delayMs: number): Timer => setTimeout(callback, delayMs)

/** Stops a timer. Does nothing if it has already fired, or if there is none. */
export const stopTimer = (timer: Timer | undefined): void => clearTimeout(timer as Parameters<typeof clearTimeout>[0])

/** Calls back when the event loop has handled the input and timers that are due. */
const defer: (callback: () => void) => unknown =
  setImmediate === undefined ? (callback) => setTimeout(callback, 0) : (callback) => setImmediate(callback)

/** The same as a promise. */
export const turn = (): Promise<void> => new Promise((resolve) => void defer(resolve))

/** Calls back when the code that runs now has ended, before the event loop does anything else. */
export const soon = (callback: () => void): void => queueMicrotask(callback)

/** Milliseconds since some moment, by the monotonic clock. */
export const elapsedMs: () => number = performance.now.bind(performance)

/** Waits for `forMs` milliseconds. */
export const rest = (forMs: number): Promise<void> => new Promise((resolve) => void startTimer(resolve, forMs))

/** The event loop of the platform and its clock, for `Breath`. */
export const platformLoop: EventLoop = Object.freeze({
  elapsed: elapsedMs,
  defer: (callback: () => void) => void defer(callback),
})
