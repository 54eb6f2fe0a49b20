/**
 * The reply to a command as JSON that can be sent. A decided command gets a reply in any case. What cannot be sent, or
 * is too long for one message, is left out or becomes an error; otherwise the sender would ask for ever.
 */
import { hasCode, InputError, OutcomeUnknownError } from '../domain/error.ts'
import type { Outcome } from '../domain/outcome.ts'
import {
  briefReplyText,
  encodeError,
  encodeOutcome,
  type Message,
  messageLengthMax,
  type Reply,
  type SentCommand,
} from './wire.ts'

/** How long a reply with a state may be. A longer one goes without it, and the other side loads it. */
const withStateMax = 16_000_000

/** What came of a command. `moved`: it was not decided, because another member owns the stream. */
export type Result = { readonly outcome: Outcome } | { readonly error: unknown } | { readonly moved: true }

/** A reply as JSON. Never throws. */
export function replyText(n: number, command: SentCommand, result: Result): string {
  if ('moved' in result) return textOf(n, result)
  if ('error' in result) return textOf(n, { error: encodeError(result.error) })
  const { outcome } = result
  try {
    const text = withStateOf(n, outcome) ?? textOf(n, { outcome: encodeOutcome(outcome, false) })
    return text.length <= messageLengthMax ? text : textOf(n, { error: encodeError(unsent(command, outcome)) })
  } catch (cause) {
    return textOf(n, { error: encodeError(unsent(command, outcome, cause)) })
  }
}

/** The error of an outcome that cannot be sent. Without the right cause, it was too long: some are no text at all. */
function unsent({ stream, commandId }: SentCommand, outcome: Outcome, cause?: unknown): Error {
  const found = `more than ${messageLengthMax} characters`
  const why = hasCode(cause, 'DATA_NOT_JSON')
    ? cause
    : new InputError('DATA_NOT_JSON', { what: 'The answer to a command', path: '', found }, cause)
  const isStored = outcome.accepted && outcome.events.length > 0
  return isStored ? new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId }, why) : why
}

/** A reply with the state, if that can be sent and is not too long. */
function withStateOf(n: number, outcome: Outcome): string | undefined {
  try {
    const text = briefReplyText(n, outcome) ?? textOf(n, { outcome: encodeOutcome(outcome) })
    return text.length <= withStateMax || !outcome.accepted ? text : undefined
  } catch (error) {
    if (outcome.accepted) return undefined
    throw error
  }
}

const textOf = (n: number, reply: Reply): string => JSON.stringify({ say: 'reply', n, reply } satisfies Message)
