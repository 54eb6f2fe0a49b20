/** Where warnings go: any object with a console's or pino's `warn`. */
import type { Warn, Warning } from '../kernel/warning.ts'

/** A console, a pino logger, or anything else with `warn(message, facts)`. */
export interface Logger {
  warn(message: string, facts?: unknown): void
}

/** Gives warnings to a logger, with code and cause; a logger that throws harms nobody. */
export function warnTo(logger: Logger): Warn {
  return ({ code, message, ...facts }: Warning) => {
    try {
      const text = `${message} [${code}, docs/errors.md#${code.toLowerCase()}]`
      if ('cause' in facts && facts.cause !== undefined) logger.warn(text, facts.cause)
      else logger.warn(text)
    } catch {
      // There is nobody left to tell.
    }
  }
}
