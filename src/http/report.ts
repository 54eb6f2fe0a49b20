/** Logs the errors for which nobody but the program can do something: its clients are told only a code. */
import { isNewer } from '../projection/failures/blame.ts'
import type { Warn } from '../runtime/warning.ts'
import { problemOf } from './problem.ts'

/** Gives such an error to a log, as the warning `REQUEST_FAILED`. */
export function report(warn: Warn, cause: unknown): void {
  const { status } = problemOf(cause)
  if (status !== 500 && !isNewer(cause)) return
  warn({ code: 'REQUEST_FAILED', message: `A request was answered with the status ${status}`, cause })
}
