/**
 * A rejection as an exception. `account.withdraw(...)` throws it; `account.try.withdraw(...)` returns the rejection.
 */
import { brand } from './brand.ts'
import type { Rejection } from './rejection.ts'
import type { StreamId } from './stream.ts'

/** A command was rejected, and nothing was stored. `code` and `details` are those given to `reject`. */
export class CommandRejected<Code extends string = string, Details = unknown> extends Error {
  static {
    brand(CommandRejected, 'CommandRejected')
  }

  override readonly name = 'CommandRejected'
  readonly code: Code
  readonly details: Details
  /** The name of the command. */
  readonly command: string
  readonly stream: StreamId
  /** The same command on the same state is rejected again. */
  readonly retryable = false

  constructor(command: string, stream: StreamId, { code, details }: Rejection<Code, Details>) {
    super(`${command} on ${stream.aggregate} ${JSON.stringify(stream.id)} was rejected: ${code}${inBrief(details)}`)
    this.code = code
    this.details = details
    this.command = command
    this.stream = stream
  }
}

function inBrief(details: unknown): string {
  if (details === undefined) return ''
  try {
    const text = JSON.stringify(details)
    return ` ${text.length > 200 ? `${text.slice(0, 197)}...` : text}`
  } catch {
    return ''
  }
}
