/** Does a step of a handler: within its time, and again if it fails. */
import { ProjectionError } from '../../domain/error.ts'
import type { Step, StepOptions } from '../../domain/reaction.ts'
import { backOffMs, type Environment, sleep } from '../../runtime/environment.ts'

interface Attempts {
  /** The same for every attempt. */
  readonly id: string
  readonly options: StepOptions
  readonly environment: Environment
  readonly pauseFirstMs: number
  readonly pauseMaxMs: number
  /** Aborted when the handler has to give up. */
  readonly signal: AbortSignal
  /** What the error says if the time is over. */
  readonly facts: { readonly reaction: string; readonly step: string; readonly position: number }
}

/**
 * @throws what the last attempt throws; ProjectionError `STEP_TIMED_OUT`; the signal's reason before an attempt. An
 *   attempt that did not end in time may go on, but its result is not used
 */
export async function attemptStep<Result>(run: Step<Result>, attempts: Attempts): Promise<Result> {
  const { options, environment, pauseFirstMs, pauseMaxMs, signal } = attempts
  const { retries = 0 } = options
  for (let tries = 0; ; tries++) {
    signal.throwIfAborted()
    try {
      return await attempt(run, attempts)
    } catch (error) {
      if (signal.aborted || tries >= retries) throw error
    }
    await sleep(environment, backOffMs(environment, tries, pauseFirstMs, pauseMaxMs), signal)
  }
}

async function attempt<Result>(
  run: Step<Result>,
  { id, options: { timeoutMs }, environment, signal, facts }: Attempts,
): Promise<Result> {
  const ending = new AbortController()
  const end = () => ending.abort(signal.reason)
  signal.addEventListener('abort', end, { once: true })
  const late = timeoutMs === undefined ? undefined : Promise.withResolvers<never>()
  const isLate = () => {
    const error = new ProjectionError('STEP_TIMED_OUT', { ...facts, timeoutMs: timeoutMs! })
    ending.abort(error)
    late!.reject(error)
  }
  const cancel = timeoutMs === undefined ? () => {} : environment.after(timeoutMs, isLate)
  try {
    const work = (async () => run({ id, signal: ending.signal }))()
    // It is waited for although the handler has to give up: what it has done must not be done again.
    return await (late === undefined ? work : Promise.race([work, late.promise]))
  } finally {
    cancel()
    signal.removeEventListener('abort', end)
  }
}
