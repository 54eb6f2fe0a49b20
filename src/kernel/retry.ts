/** How the kernel repeats calls that the store could not answer. */
import { MnemeError } from '../domain/error.ts'
import { backOffMs, type Environment, sleep } from '../runtime/environment.ts'

const firstMs = 5
const maxMs = 1_000

/**
 * Waits before the next attempt.
 *
 * @param tries the number of attempts so far
 * @param over ends the wait
 */
export function pauseAfter(environment: Environment, tries: number, over?: AbortSignal): Promise<void> {
  return sleep(environment, backOffMs(environment, tries, firstMs, maxMs), over)
}

interface Trying {
  readonly environment: Environment
  readonly limits: { readonly loadTriesMax: number }
  /** From then on it is not tried again. */
  readonly over?: AbortSignal
}

/** Does some work, and repeats it while its error is retryable. @throws the error of the last attempt */
export async function tryUpTo<Result>(
  { environment, limits, over }: Trying,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      const mayHelp = error instanceof MnemeError && error.retryable
      if (!mayHelp || tries >= limits.loadTriesMax) throw error
      await pauseAfter(environment, tries, over)
      if (over?.aborted) throw error
    }
  }
}
