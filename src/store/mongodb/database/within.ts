/** Waiting for the driver, which may never answer. */
import { startTimer, stopTimer } from '../../../runtime/timers.ts'
import { NoAnswer } from './failure.ts'

/**
 * Waits for the driver, up to the time limit or until the caller aborts.
 *
 * @throws NoAnswer, or the reason of the caller's signal
 */
export async function within<Result>(
  timeoutMs: number,
  wanted: AbortSignal | undefined,
  use: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  wanted?.throwIfAborted()
  const ending = new AbortController()
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const end = (reason: unknown) => {
    reject(reason)
    ending.abort(reason)
  }
  const timer = startTimer(() => end(new NoAnswer(timeoutMs)), timeoutMs)
  const onUnwanted = () => end(wanted?.reason)
  wanted?.addEventListener('abort', onUnwanted)
  try {
    return await Promise.race([use(ending.signal), ended])
  } finally {
    stopTimer(timer)
    wanted?.removeEventListener('abort', onUnwanted)
  }
}
