/** The time of spans, in milliseconds since 1970 with fractions, so that short spans lie within each other. */
import { elapsedMs } from '../runtime/timers.ts'

/** The clock is set again when the date differs by so much, because the machine slept or its date was changed. */
const driftMsMax = 50

export function spanClock(): () => number {
  let beganAt = Date.now() - elapsedMs()
  return () => {
    const now = beganAt + elapsedMs()
    const date = Date.now()
    if (Math.abs(date - now) <= driftMsMax) return now
    beganAt = date - elapsedMs()
    return date
  }
}
