/** Reads arguments of the command line. What makes no sense is refused with the name of the option. */
import { InvalidArgumentError } from 'commander'
import type { StreamId } from '../../../src/index.ts'
import { ToolsError, wordsOf } from '../errors.ts'

/** A whole number from 0. */
export function whole(text: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number
  throw new InvalidArgumentError('It must be a whole number.')
}

/** A time, as in `2026-01-31T12:00Z`. Without a zone it is local. */
export function time(text: string): Date {
  const date = new Date(text)
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(date.getTime())) return date
  throw new InvalidArgumentError('It must be a time, such as 2026-01-31T12:00Z.')
}

/**
 * A text as JSON.
 *
 * @throws ToolsError `USAGE`
 */
export function jsonOf(what: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const reason = wordsOf(cause)
    throw new ToolsError('USAGE', `${what} is not JSON: ${reason}`, { cause })
  }
}

/** Adds a value to a list, for options that can be given several times. */
export const several = (text: string, before: readonly string[] = []): readonly string[] => [...before, text]

/** A stream as `account/ada`: everything after the first slash is the id. */
export function streamName(text: string): StreamId {
  const slash = text.indexOf('/')
  if (slash > 0 && slash < text.length - 1) return { aggregate: text.slice(0, slash), id: text.slice(slash + 1) }
  throw new InvalidArgumentError('It must be an aggregate and an id, such as account/ada.')
}
