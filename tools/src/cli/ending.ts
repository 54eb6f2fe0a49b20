/**
 * How the program ends: its exit codes, and the two ways in which somebody ends it early. An interrupt and a reader
 * that is gone (`| head`) abort the signal that all work gets, so stores are closed as always.
 */
import { constants } from 'node:os'

/** Exit codes, as the help says them. */
export const exitCodes = {
  done: 0,
  /** It did not work, or `verify` found something. */
  failed: 1,
  /** The command line or the configuration makes no sense. */
  usage: 2,
  /** The domain has rejected a command. */
  rejected: 3,
} as const

/** Somebody has interrupted the program. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM' | 'SIGPIPE') {
    super(signal)
    // What a shell reports of a program that the signal has ended.
    this.exitCode = 128 + constants.signals[signal]
  }
}

/**
 * Aborts when the process is interrupted. A second interrupt ends the process at once.
 *
 * @returns a function that stops listening
 */
export function onInterrupt(controller: AbortController): () => void {
  const stop = (signal: NodeJS.Signals) => {
    const reason = new Interrupted(signal as 'SIGINT' | 'SIGTERM')
    if (controller.signal.aborted) process.exit(reason.exitCode)
    controller.abort(reason)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return () => {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}
