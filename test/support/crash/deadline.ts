/** A limit to how long a test waits, with words of its own: what was waited for, and how far it had come. */

/**
 * What a promise comes to, if it does so in time.
 *
 * @param describe says what hangs, when it does
 */
export async function within<Result>(
  timeoutMs: number,
  promise: Promise<Result>,
  describe: () => string | Promise<string>,
): Promise<Result> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(async () => late.reject(new Error(`After ${timeoutMs} ms ${await describe()}`)), timeoutMs)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
