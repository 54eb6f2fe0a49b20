/** The environment of a real process: its clock, timers and randomness, from what every JavaScript platform has. */
import type { Environment } from '../kernel/environment.ts'

/** What Node has beside the web platform's timers. */
interface Platform {
  readonly setImmediate?: (callback: () => void) => unknown
}

/** Timers take 31 bits of milliseconds; over that they would fire at once. */
const delayMsMax = 2 ** 31 - 1

export const systemEnvironment: Environment = Object.freeze({
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(delayMs: number, callback: () => void, options?: { readonly background: boolean }) {
    const timer: unknown = setTimeout(callback, Math.min(delayMs, delayMsMax))
    if (options?.background) (timer as { unref?: () => void }).unref?.()
    return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0])
  },
  defer(callback: () => void) {
    const { setImmediate } = globalThis as Platform
    if (setImmediate === undefined) setTimeout(callback, 0)
    else setImmediate(callback)
  },
  random: () => Math.random(),
  newId: () => crypto.randomUUID(),
})
