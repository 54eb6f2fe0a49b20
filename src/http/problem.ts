/**
 * Errors as problem details (RFC 9457). A problem has the code of its error, a fixed text, and those facts that its
 * client needs. It has no message of an error, because messages name ids, hosts and causes, and no stack.
 */
import { CommandRejected } from '../domain/command-rejected.ts'
import { HttpError, MnemeError } from '../domain/error.ts'
import { catalogue, type ErrorCode } from '../domain/error-catalogue.ts'
import type { Json } from '../domain/json.ts'
import { isNewer } from '../projection/failures/blame.ts'
import { errorPrefix, rejectionPrefix } from './problem-types.ts'

export const problemType = 'application/problem+json'

/** The code of a problem whose cause is not an error of Mneme: a bug of the program. */
const unknownCode = 'SERVER_FAILED'

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly code: string
  /** Whether the same request may succeed later. */
  readonly retryable: boolean
  readonly [fact: string]: Json | undefined
}

interface Kind {
  readonly status: number
  readonly detail: string
  /** The facts that the client may see. */
  readonly facts?: readonly string[]
}

/** The problems that a client can do something about. The others are told apart by their code only. */
const kinds: Partial<Record<ErrorCode, Kind>> = {
  COMMAND_MALFORMED: { status: 400, detail: 'This is not a command.' },
  COMMAND_INVALID: { status: 400, detail: 'The data does not pass the schema of the command.', facts: ['issues'] },
  DATA_NOT_JSON: { status: 400, detail: 'The data holds something that cannot be stored.', facts: ['path'] },
  CURSOR_INVALID: { status: 400, detail: 'It is not the cursor of an earlier page of this query.' },
  ID_INVALID: { status: 400, detail: 'An id has 1 to 1,024 bytes, no null characters and no lone surrogates.' },
  AGGREGATE_UNKNOWN: { status: 404, detail: 'There is no such aggregate.' },
  COMMAND_UNKNOWN: { status: 404, detail: 'The aggregate has no such command.' },
  COMMAND_ID_REUSED: { status: 409, detail: 'The id of the command belongs to another command.' },
  SEQUENCE_UNEXPECTED: {
    status: 412,
    detail: 'The aggregate has changed since it was read.',
    facts: ['expectedSequence', 'sequence'],
  },
  COMMAND_TOO_LARGE: { status: 413, detail: 'The data of the command is too large.', facts: ['sizeMax'] },
  COMMIT_TOO_LARGE: { status: 413, detail: 'The command makes more events than can be stored at once.' },
  LOG_REPLACED: { status: 410, detail: 'The log does not have this place any more. Read it from its beginning.' },
  // Nobody gets this answer.
  ABORTED: { status: 499, detail: 'The client has gone.' },
  STORE_CLOSED: { status: 503, detail: 'This process stops. Another one can answer.' },
  OUTCOME_UNKNOWN: {
    status: 504,
    detail: 'It is unknown whether the command was stored. Send it again with this id.',
    facts: ['commandId'],
  },
  REQUEST_MALFORMED: { status: 400, detail: '', facts: [] },
  ROUTE_UNKNOWN: { status: 404, detail: '' },
  ROW_UNKNOWN: { status: 404, detail: '' },
  METHOD_NOT_ALLOWED: { status: 405, detail: '' },
  BODY_TOO_SLOW: { status: 408, detail: '' },
  BODY_TOO_LARGE: { status: 413, detail: '', facts: ['sizeMax'] },
  CONTENT_UNSUPPORTED: { status: 415, detail: '' },
  REQUEST_FORBIDDEN: { status: 403, detail: '' },
  ORIGIN_FORBIDDEN: { status: 403, detail: '' },
  HOST_FORBIDDEN: { status: 421, detail: '' },
}

const newerKind: Kind = { status: 503, detail: 'What is stored is newer than this process. A newer one can answer.' }

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'The command was rejected',
  499: 'Client Closed Request',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

/**
 * The HTTP status of an error that a call of a running domain has thrown. It is 503 if something stored is newer than
 * this program: in a rolling deployment another process can answer.
 *
 *     return new Response(undefined, { status: statusOf(error) })
 */
export function statusOf(error: unknown): number {
  if (error instanceof CommandRejected) return 422
  if (!(error instanceof MnemeError)) return 500
  if (isNewer(error)) return 503
  return kinds[error.code as ErrorCode]?.status ?? (error.retryable ? 503 : 500)
}

/** The problem of an error. A rejection is one only if a hook of the program has not expected it. */
export function problemOf(error: unknown): Problem {
  const status = error instanceof MnemeError ? statusOf(error) : 500
  const title = titles[status]!
  if (!(error instanceof MnemeError)) {
    return { type: `${errorPrefix}${unknownCode}`, title, status, code: unknownCode, retryable: false }
  }
  const { code } = error
  const isForNewer = isNewer(error)
  // This process will never answer it, but the same request may reach another one.
  const retryable = error.retryable || isForNewer
  const kind = isForNewer ? newerKind : kinds[code as ErrorCode]
  const { detail, facts = [] } = kind ?? { detail: generalDetail(status) }
  const shown = facts.map((fact) => [fact, shortened((error.facts as Readonly<Record<string, Json>>)[fact])])
  // What an HttpError says is made here, from what the client has sent.
  const said = error instanceof HttpError ? saidBy(error) : detail
  return { type: `${errorPrefix}${code}`, title, status, detail: said, code, retryable, ...Object.fromEntries(shown) }
}

/** A client has made each of them, so there could be many in a small request. */
const issuesMax = 100
const shortened = (fact: Json | undefined): Json | undefined => (Array.isArray(fact) ? fact.slice(0, issuesMax) : fact)

const saidBy = ({ code, facts }: HttpError): string => `${(catalogue[code].what as (facts: unknown) => string)(facts)}.`

const generalDetail = (status: number): string =>
  status === 503 ? 'The service cannot answer now. Try again later.' : 'The service failed. Its operator knows more.'

/** The problem of a rejection. */
export function rejectionProblem(code: string, details: Json | undefined, status: number): Problem {
  return {
    type: `${rejectionPrefix}${encodeURIComponent(code.toWellFormed())}`,
    title: titles[422]!,
    status,
    code,
    retryable: false,
    ...(details !== undefined && { details }),
  }
}

/** A problem as a response. */
export function problemResponse(problem: Problem, headers: Readonly<Record<string, string>> = {}): Response {
  const { status } = problem
  const later = status === 503 ? { 'Retry-After': '1' } : {}
  // The rest of a body that was not read to its end would be taken for the next request.
  const close = status === 408 || status === 413 ? { Connection: 'close' } : {}
  return new Response(JSON.stringify(problem), {
    status,
    headers: { 'Content-Type': problemType, 'Cache-Control': 'no-store', ...later, ...close, ...headers },
  })
}
