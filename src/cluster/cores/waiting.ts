/**
 * How the processes of one machine wait for each other: until a signal is aborted, and for something with a limit.
 */
import { startTimer, stopTimer, type Timer } from '../../runtime/timers.ts'

/** Waits for something, but not longer than some time. @throws what it waits for throws */
export async function within(timeoutMs: number, awaited: Promise<unknown>): Promise<void> {
  let timer: Timer | undefined
  const late = new Promise<void>((resolve) => {
    timer = startTimer(resolve, timeoutMs)
  })
  try {
    await Promise.race([awaited, late])
  } finally {
    stopTimer(timer)
  }
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
