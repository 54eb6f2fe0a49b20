/** The environment of a real process: clock, timers and random numbers of the platform. */
import type { Environment } from '../runtime/environment.ts'
import { platformLoop, startTimer, stopTimer } from '../runtime/timers.ts'
import { randomCommandId, randomId } from './random-id.ts'

/** Timers take at most 31 bits of milliseconds. With a longer delay they would fire at once. */
const delayMsMax = 2 ** 31 - 1

export const systemEnvironment: Environment = Object.freeze({
  ...platformLoop,
  now: () => Date.now(),
  after(delayMs: number, callback: () => void, options?: { readonly background: boolean }) {
    const timer = startTimer(callback, Math.min(delayMs, delayMsMax))
    if (options?.background) timer.unref?.()
    return () => stopTimer(timer)
  },
  random: () => Math.random(),
  newId: randomId,
  newCommandId: randomCommandId,
})
