/** How the kernel tries again what the store could not do. */
import { MnemeError } from '../domain/error.ts'
import { backOffMs, type Environment, sleep } from '../runtime/environment.ts'

const firstMs = 5
const maxMs = 1_000

/** Waits before something is tried once more. @param tries how often it was tried */
export function pauseAfter(environment: Environment, tries: number): Promise<void> {
  return sleep(environment, backOffMs(environment, tries, firstMs, maxMs))
}

/** Does some work with the store, and again as long as that may help. @throws what the last try has thrown */
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
