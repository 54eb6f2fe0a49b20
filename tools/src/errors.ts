/** Errors of the tools themselves. What the library throws keeps its own code. */

/** `usage`: what was asked for makes no sense, or cannot be found. `failed`: it was tried, and did not work. */
const kinds = {
  USAGE: 'usage',
  CONFIG_INVALID: 'usage',
  STORE_UNKNOWN: 'usage',
  STORE_ABSENT: 'usage',
  DOMAIN_UNKNOWN: 'usage',
  DOMAIN_NEEDED: 'usage',
  AGGREGATE_UNKNOWN: 'usage',
  FOLLOWER_UNKNOWN: 'usage',
  EVENT_UNKNOWN: 'failed',
  NOT_FOUND: 'failed',
  NOT_CONFIRMED: 'failed',
  LINE_INVALID: 'failed',
  LOG_DIFFERS: 'failed',
  STUDIO_UNFIT: 'usage',
  TOO_MANY: 'failed',
} as const

export type ToolsErrorCode = keyof typeof kinds

/** Something that the tools refuse, or that did not work. Match by `code`. */
export class ToolsError extends Error {
  override readonly name = 'ToolsError'
  readonly code: ToolsErrorCode
  readonly kind: 'usage' | 'failed'

  /** @param message what happened, with the facts; `advice` says what to do */
  constructor(
    code: ToolsErrorCode,
    message: string,
    { advice, cause }: { readonly advice?: string; readonly cause?: unknown } = {},
  ) {
    super(`${message}.${advice === undefined ? '' : ` ${advice}.`}`, cause === undefined ? {} : { cause })
    this.code = code
    this.kind = kinds[code]
  }
}

/** What was thrown, in words. Code of users may throw anything, and give an error any message. */
export function wordsOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return 'an error without a message'
  }
}
