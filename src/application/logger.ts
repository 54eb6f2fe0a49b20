/**
 * Where warnings go. Loggers do not agree on what comes first: pino and its like take the facts and then the message,
 * all others the message first, and a console prints everything it is given. The cause of a warning must be visible
 * with each of them.
 */
import type { Warn, Warning } from '../runtime/warning.ts'

/**
 * A console; a pino or bunyan logger, which is called as `warn({ err, code, ... }, message)`; or anything else, which
 * is called as `warn(message, { code, cause, ... })`.
 */
export interface Logger {
  warn(message: string, facts?: unknown): unknown
}

type Style = 'console' | 'facts first' | 'message first'

/** Gives warnings to a logger, with code and cause; a logger that throws or rejects harms nobody. */
export function warnTo(logger: Logger): Warn {
  const style = styleOf(logger)
  return (warning: Warning) => {
    try {
      const told = logger.warn(...(spoken(warning, style) as [message: string, facts: unknown]))
      if (told instanceof Promise) told.catch(() => {})
    } catch {
      // There is nobody left to tell.
    }
  }
}

/** Told by methods that only these have. A console in whose place something else stands is still called like one. */
function styleOf(logger: Logger): Style {
  const has = (...methods: readonly string[]) =>
    methods.every((method) => typeof (logger as unknown as Record<string, unknown>)[method] === 'function')
  if (has('bindings', 'child') || has('addSerializers', 'child')) return 'facts first'
  return has('groupEnd', 'table') ? 'console' : 'message first'
}

function spoken({ message, code, cause, ...facts }: Warning & { readonly cause?: unknown }, style: Style): unknown[] {
  const hasCause = cause !== undefined
  const place = `[${code}, docs/errors.md#${code.toLowerCase()}]`
  // A logger may make JSON of the facts, and an error is nothing in JSON.
  const isSaid = style === 'console' || !(cause instanceof Error) || message.includes(cause.message)
  const whole = codeFirst(message)
  const text = isSaid ? `${whole} ${place}` : `${whole} (${codeFirst(cause.message)}) ${place}`
  switch (style) {
    case 'console':
      // With more than one argument a console takes the first as a format.
      return hasCause ? [text.replaceAll('%', '%%'), cause] : [text]
    case 'facts first':
      return [{ ...(hasCause && { err: cause }), code, ...facts }, text]
    case 'message first':
      return [text, { code, ...(hasCause && { cause }), ...facts }]
  }
}

/**
 * The message of an error of Mneme ends with its code, and so does the text of a warning: the error's goes to the
 * front.
 */
const codeFirst = (message: string): string => message.replace(/^(.*) \[([A-Z_]+), docs\/errors\.md#\w+\]$/s, '$2: $1')
