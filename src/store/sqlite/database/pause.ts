/** How a thread waits while another process holds the lock of a database. */
import { rest } from '../../../runtime/timers.ts'

/** Waits, and returns a promise if the thread can do something else meanwhile. */
export type Pause = (durationMs: number) => Promise<void> | undefined

const sleeper = new Int32Array(new SharedArrayBuffer(4))

/**
 * A thread that serves one database sleeps, which is exact to parts of a millisecond. With several databases it goes on
 * with the others.
 */
export const pauseOf =
  (isAlone: () => boolean): Pause =>
  (durationMs) => {
    if (!isAlone()) return rest(durationMs)
    Atomics.wait(sleeper, 0, 0, durationMs)
    return undefined
  }
