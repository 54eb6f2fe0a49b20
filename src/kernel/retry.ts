/** How the kernel repeats calls that the store could not answer. */
import { MnemeError } from '../domain/error.ts'
import { backOffMs, type Environment, sleep } from '../runtime/environment.ts'

const firstMs = 5
const maxMs = 1_000

/** Waits before the next attempt. @param tries the number of attempts so far */
export function pauseAfter(environment: Environment, tries: number): Promise<void> {
  return sleep(environment, backOffMs(environment, tries, firstMs, maxMs))
}

/** Does some work, and repeats it while its error is retryable. @throws the error of the last attempt */
export async function tryUpTo<Result>(
  triesMax: number,
  environment: Environment,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      const mayHelp = error instanceof MnemeError && error.retryable
      if (!mayHelp || tries >= triesMax) throw error
      await pauseAfter(environment, tries)
    }
  }
}
