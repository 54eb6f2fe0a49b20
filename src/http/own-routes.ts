/**
 * For routes that a program writes by hand: the headers and the failures of `http(bank)`, so that clients find the same
 * on every route. What a request says in its path and its body, and who may do what, is the program's own.
 */
import { CommandRejected } from '../domain/command-rejected.ts'
import type { Json } from '../domain/json.ts'
import { type Logger, warnTo } from '../runtime/logger.ts'
import { limitIn } from './parameters.ts'
import { problemOf, problemResponse, rejectionProblem } from './problem.ts'
import { report } from './report.ts'
import { plain } from './representation.ts'
import {
  commandIdOf,
  etagOf,
  expectedSequenceOf,
  lastEventOf,
  positionHeader,
  positionOf,
  traceOf,
} from './request-headers.ts'

/** A request, or what has its headers: `{ headers: new Headers(request.headers) }` in Node's own servers. */
export interface WithHeaders {
  readonly headers: Headers
}

/** The options of a command that the headers of a request ask for. */
export interface RequestedOptions {
  /** From `Idempotency-Key`. */
  readonly commandId?: string
  /** From `If-Match`; 0 from `If-None-Match: *`. */
  readonly expectedSequence?: number
  /** The trace of the sender, from `traceparent` and `tracestate`. */
  readonly metadata?: { readonly traceparent: string; readonly tracestate?: string }
}

/**
 * The options of a command, from the headers `Idempotency-Key`, `If-Match`, `If-None-Match` and `traceparent`.
 *
 *     await bank.account(id).deposit(data, commandOptionsOf(request))
 *
 * @throws HttpError `REQUEST_MALFORMED`
 */
export function commandOptionsOf({ headers }: WithHeaders): RequestedOptions {
  const commandId = commandIdOf(headers)
  const expectedSequence = expectedSequenceOf(headers)
  const { traceparent, ...state } = traceOf(headers)
  return {
    ...(commandId !== undefined && { commandId }),
    ...(expectedSequence !== undefined && { expectedSequence }),
    ...(traceparent !== undefined && { metadata: { traceparent, ...state } }),
  }
}

/**
 * How far a read model must be, from the header `Mneme-Position`: the sender's own write is then in its rows.
 *
 *     await bank.balances.find(query, waitOptionsOf(request))
 *
 * @throws HttpError `REQUEST_MALFORMED`
 */
export function waitOptionsOf({ headers }: WithHeaders): { readonly atLeast?: number } {
  const atLeast = positionOf(headers)
  return atLeast === undefined ? {} : { atLeast }
}

/**
 * Where a stream of events begins, from the header `Last-Event-ID`: behind the last event that the client got, or with
 * the first event. The id of a message is the sequence of its event, or the position if the stream is that of the log.
 *
 *     for await (const event of bank.account(id).events(followOptionsOf(request))) send({ id: event.sequence, ... })
 *
 * @throws HttpError `REQUEST_MALFORMED`
 */
export function followOptionsOf({ headers }: WithHeaders): { readonly from: number } {
  return { from: (lastEventOf(headers) ?? 0) + 1 }
}

/**
 * Which page of rows, ids or timers a request wants, from `?limit=20&after=...` in its address.
 *
 *     const { rows, next } = await bank.balances.find({ orderBy: ['owner'], ...pageOptionsOf(request) })
 *
 * @param limitMax the greatest limit, 100 by default. A page has as many items if none is given, but not over 100
 * @throws HttpError `REQUEST_MALFORMED`
 */
export function pageOptionsOf(
  { url }: { readonly url: string },
  limitMax = 100,
): { readonly limit: number; readonly after?: string } {
  // In Node's own servers it is only the path.
  const { searchParams } = new URL(url, 'http://localhost')
  const after = searchParams.get('after')
  return { limit: limitIn(searchParams.get('limit') ?? undefined, limitMax), ...(after !== null && { after }) }
}

/**
 * The headers of an answer: `ETag`, which a client gives back as `If-Match`, and `Mneme-Position`.
 *
 *     const { state, ...read } = await bank.account(id).read()
 *     return Response.json(state, { headers: headersOf(read) })
 */
export function headersOf(read: { readonly sequence: number; readonly position: number }): Record<string, string> {
  return { ETag: etagOf(read.sequence), [positionHeader]: String(read.position) }
}

/**
 * A value as JSON, as `http(bank)` writes it: dates, bigints, maps and sets are texts and lists. A personal value is
 * `[personal]`, or `[forgotten]`. It is shown if its subject may be revealed to the sender of the request.
 *
 *     const { state, ...read } = await shop.customer(id).read()
 *     return Response.json(jsonOf(state, (subject) => subject === user.id), { headers: headersOf(read) })
 *
 * @throws StoreError `KEYS_UNCONFIRMED`
 */
export function jsonOf(value: unknown, mayReveal: (subject: string) => boolean = () => false): Json {
  return plain(value, mayReveal)
}

/**
 * The answer to a request that has failed: problem details (RFC 9457) with the code of the error. A rejection has the
 * status 422 and its details. No message, no stack and no personal value is shown. An error that is not one of Mneme is
 * a 500, so answer your own errors first.
 *
 * @param log where an error goes for which only the program can do something, as the warning `REQUEST_FAILED`; the
 *   console by default
 */
export function responseTo(error: unknown, log: Logger = console): Response {
  if (!(error instanceof CommandRejected)) {
    report(warnTo(log), error)
    return problemResponse(problemOf(error))
  }
  const { code, details } = error
  const shown = details === undefined ? undefined : jsonOf(details)
  return problemResponse(rejectionProblem(code, shown, 422))
}
