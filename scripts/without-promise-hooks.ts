/**
 * Loaded before each test file of a quick run of everything. The test runner of Node hooks into everything that is
 * asynchronous, to know which test an uncaught error belongs to. For promises that takes a tenth of the processor's
 * time in most tests, and two fifths in simulations. So promises are left out of its hook, as `trackPromises: false`
 * does for a hook of one's own. An uncaught error that comes after an `await` then fails its file instead of its test,
 * and is printed with its stack. If a version of Node has no such option, or sets up its hook elsewhere, the tests only
 * take longer.
 */
import { createHook } from 'node:async_hooks'
import { inspect } from 'node:util'

type Hook = ReturnType<typeof createHook> & Record<symbol, unknown>

const hooks = Object.getPrototypeOf(createHook({})) as Hook
const { enable } = hooks
hooks.enable = function (this: Hook) {
  const isOfRunner = new Error().stack?.includes('internal/test_runner/') === true
  const option = Object.getOwnPropertySymbols(this).find(({ description }) => description === 'kNoPromiseHook')
  if (isOfRunner && option !== undefined) {
    hooks.enable = enable
    this[option] = true
    process.on('uncaughtExceptionMonitor', tell)
    process.on('unhandledRejection', (reason) => {
      // The runner has gone by the time of the last ones, and this listener keeps Node from failing.
      process.exitCode = 1
      tell(reason)
    })
  }
  return enable.call(this)
}

const tell = (error: unknown): void => {
  process.stderr.write(`An uncaught error in ${process.argv[1]}: ${inspect(error)}\n`)
}
