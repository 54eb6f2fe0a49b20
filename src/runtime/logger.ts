/**
 * Passes warnings to a logger. Loggers differ in the order of arguments: pino and similar ones take the facts and then
 * the message, others take the message first, and a console prints all arguments. The cause of a warning must be
 * visible with each of them.
 */
import type { Observing } from './observing.ts'
import { type Level, levelOf, type Warn, type Warning } from './warning.ts'

/**
 * A console; a pino or bunyan logger, which is called as `warn({ err, code, ... }, message)`; or anything else, which
 * is called as `warn(message, { code, cause, ... })`.
 */
export interface Logger {
  warn(message: string, facts?: unknown): unknown
  /** For what does not work, or was left out. Without it, `warn` is called. */
  error?(message: string, facts?: unknown): unknown
  /** For what is well, but may be of interest. Without it, and on a console, `warn` is called. */
  info?(message: string, facts?: unknown): unknown
}

type Style = 'console' | 'facts first' | 'message first'

/** A logger for one of many tenants: it names the tenant in each warning. Only `warnTo` calls it. */
export class TenantLogger implements Logger {
  readonly logger: Logger
  readonly tenant: string

  constructor(logger: Logger, tenant: string) {
    this.logger = logger
    this.tenant = tenant
  }

  warn(message: string, facts?: unknown): unknown {
    return this.logger.warn(message, facts)
  }
}

/** Passes warnings to a logger, with code and cause. Errors of the logger are ignored. */
export function warnTo(logger: Logger): Warn {
  if (logger instanceof TenantLogger) {
    const { tenant } = logger
    const warn = warnTo(logger.logger)
    return (warning) => {
      const named = { ...warning, message: `Tenant ${JSON.stringify(tenant)}: ${warning.message}`, tenant }
      warn(named)
    }
  }
  const style = styleOf(logger)
  return (warning: Warning) => {
    try {
      const method = methodOf(logger, style, levelOf(warning.code))
      const told = logger[method]!(...(spoken(warning, style) as [message: string, facts: unknown]))
      if (told instanceof Promise) told.catch(() => {})
    } catch {
      // Nothing is left to report this to.
    }
  }
}

/** Passes warnings on, and tells an observer of them. */
export function observedWarn(warn: Warn, observing: Observing): Warn {
  return (warning) => {
    warn(warning)
    const { code, message } = warning
    const hasCause = 'cause' in warning && warning.cause !== undefined
    observing.tell({ kind: 'warning', level: levelOf(code), code, message, ...(hasCause && { error: warning.cause }) })
  }
}

/** What a console prints as `info` goes to the standard output, where a program may print something else. */
function methodOf(logger: Logger, style: Style, level: Level): Level {
  if (level === 'info' && style === 'console') return 'warn'
  return typeof logger[level] === 'function' ? level : 'warn'
}

/** Recognised by methods that only these loggers have. So a replaced console is still called like a console. */
function styleOf(logger: Logger): Style {
  const has = (...methods: readonly string[]) =>
    methods.every((method) => typeof (logger as unknown as Record<string, unknown>)[method] === 'function')
  if (has('bindings', 'child') || has('addSerializers', 'child')) return 'facts first'
  return has('groupEnd', 'table') ? 'console' : 'message first'
}

function spoken({ message, code, cause, ...facts }: Warning & { readonly cause?: unknown }, style: Style): unknown[] {
  const hasCause = cause !== undefined
  const place = `[${code}, docs/errors.md#${code.toLowerCase()}]`
  // A logger may turn the facts into JSON, in which an error is empty.
  const isSaid = style === 'console' || !(cause instanceof Error) || message.includes(cause.message)
  const whole = codeFirst(message)
  const text = isSaid ? `${whole} ${place}` : `${whole} (${codeFirst(cause.message)}) ${place}`
  switch (style) {
    case 'console':
      // With more than one argument, a console treats the first as a format.
      return hasCause ? [text.replaceAll('%', '%%'), cause] : [text]
    case 'facts first':
      return [{ ...(hasCause && { err: cause }), code, ...facts }, text]
    case 'message first':
      return [text, { code, ...(hasCause && { cause }), ...facts }]
  }
}

/**
 * Moves the code in an error's message from the end to the front, because the text of a warning ends with its own code.
 */
const codeFirst = (message: string): string => message.replace(/^(.*) \[([A-Z_]+), docs\/errors\.md#\w+\]$/s, '$2: $1')
