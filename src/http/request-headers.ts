/** The headers of a request that say which command it is, what is expected, and what the sender has seen. */
import { malformed } from './body.ts'

/** A position: in an answer that of the last event, in a request the one that a read model must have handled. */
export const positionHeader = 'Mneme-Position'

/**
 * The id of a command, from `Idempotency-Key`. The draft of this header makes it a string in quotes, but most clients
 * send it without.
 *
 * @throws HttpError `REQUEST_MALFORMED`
 */
export function commandIdOf(headers: Headers): string | undefined {
  const key = headers.get('idempotency-key')
  if (key === null) return undefined
  const quoted = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"$/.exec(key)
  if (quoted !== null) return quoted[1]!.replaceAll(/\\(["\\])/g, '$1')
  if (!/^[\x20-\x21\x23-\x7e]+$/.test(key)) malformed('Idempotency-Key is not a text of printable ASCII characters')
  return key
}

/**
 * The sequence that a command expects: that of `If-Match`, with quotes or without, or 0 if `If-None-Match: *` says that
 * there must be nothing.
 *
 * @throws HttpError `REQUEST_MALFORMED`
 */
export function expectedSequenceOf(headers: Headers): number | undefined {
  const match = headers.get('if-match')
  const noneMatch = headers.get('if-none-match')
  if (match !== null && noneMatch !== null) malformed('it has If-Match and If-None-Match')
  if (noneMatch !== null) return noneMatch.trim() === '*' ? 0 : malformed('If-None-Match can only be *')
  if (match === null) return undefined
  const sequence = wholeNumber(/^\s*"(.*)"\s*$/.exec(match)?.[1] ?? match)
  return sequence ?? malformed('If-Match is not one ETag as the service gives it, such as "3"')
}

/**
 * The trace that the sender of a request is in, as metadata of its command: `traceparent` and `tracestate` as W3C Trace
 * Context writes them. What is not written so is left out.
 */
export function traceOf(headers: Headers): { readonly traceparent?: string; readonly tracestate?: string } {
  const [traceparent] =
    /^(?!ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?=-|$)/.exec(headers.get('traceparent') ?? '') ?? []
  if (traceparent === undefined) return {}
  const tracestate = headers.get('tracestate')
  const isGood = tracestate !== null && /^[\x20-\x7e]{1,512}$/.test(tracestate)
  return { traceparent, ...(isGood && { tracestate }) }
}

/** The ETag of a sequence. */
export const etagOf = (sequence: number): string => `"${sequence}"`

/** @throws HttpError `REQUEST_MALFORMED` */
export function positionOf(headers: Headers): number | undefined {
  const header = headers.get(positionHeader)
  if (header === null) return undefined
  return wholeNumber(header) ?? malformed(`${positionHeader} is not a position`)
}

/**
 * The number in `Last-Event-ID`. A browser without one sends no header, other clients an empty one.
 *
 * @throws HttpError `REQUEST_MALFORMED`
 */
export function lastEventOf(headers: Headers): number | undefined {
  const id = headers.get('last-event-id')
  if (id === null || id === '') return undefined
  return wholeNumber(id) ?? malformed('Last-Event-ID is not the id of an event')
}

/** The greatest position or sequence that a client can name. Its successor is a whole number too, on every store. */
export const numberMax = 999_999_999_999_999

/** A whole number from 0 as it is usually written; `undefined` for another text. */
export function wholeNumber(text: string, most: number = numberMax): number | undefined {
  const number = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN
  return number <= most ? number : undefined
}
