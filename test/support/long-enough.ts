/** Limits of time that a test is about, on machines of any speed. */
import { inspect } from 'node:util'

const factor = 4
const limitMsMax = 600_000

/**
 * Does something that a store's limit of time is to end, with a longer limit as long as a slow machine does not even
 * come so far in the shorter one. An error of any other kind is thrown at once.
 */
export async function longEnough(firstMs: number, run: (timeoutMs: number) => Promise<void>): Promise<void> {
  for (let timeoutMs = firstMs; ; timeoutMs *= factor) {
    try {
      return await run(timeoutMs)
    } catch (error) {
      const isSlow = /no answer within|connection timeout/.test(inspect(error, { depth: 8 }))
      if (!isSlow || timeoutMs * factor > limitMsMax) throw error
    }
  }
}
