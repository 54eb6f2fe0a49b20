/** One request with what its handlers need: who sends it, how long it may take, and how its answer is written. */
import type { Inside } from '../application/inside.ts'
import { CancelledError, HttpError } from '../domain/error.ts'
import type { Json } from '../domain/json.ts'
import { startTimer, stopTimer } from '../runtime/timers.ts'
import { malformed } from './body.ts'
import type { AnyRunning, EventFilters, ReadIn, Settings } from './options.ts'
import { limitIn } from './parameters.ts'
import { problemOf, problemResponse, statusOf } from './problem.ts'
import { marked, markedType, plain, plainType, type Reveals } from './representation.ts'

/** What requests to one domain have in common. */
export interface Service extends Shared {
  /** The running domain. */
  readonly bank: any
  readonly inside: Inside
  /** Keeps the domain running until something is over. */
  readonly hold?: (isOver: Promise<void>) => void
}

/** What all requests have in common. */
export interface Shared {
  readonly settings: Settings
  /** How many streams of events are open. Long polls count too. */
  readonly streams: { open: number }
  /** Logs an error for which nobody but the program can do something. */
  readonly report: (error: unknown) => void
}

export interface Exchange {
  readonly service: Service
  readonly request: Request
  /** The parts of the path, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly user: unknown
  readonly reveals: Reveals
}

/** What somebody asks to read, of any domain. */
export interface Read {
  readonly kind: ReadIn<AnyRunning>['kind'] | 'rows'
  readonly [part: string]: unknown
}

/** Finds the domain that a request is for, and has it answered. */
export type Lend = (sent: Sent, answer: (service: Service) => Promise<Response>) => Promise<Response>

/** A request, and who has sent it. */
type Sent = Pick<Exchange, 'request' | 'user'>

/** Has a request answered: asks who sends it, and finds its domain. A hook may answer itself. */
export async function exchanged(
  { settings }: Shared,
  lend: Lend,
  { request, params }: Pick<Exchange, 'request' | 'params'>,
  handle: (exchange: Exchange) => Promise<Response>,
): Promise<Response> {
  const { user: userOf, mayReveal } = settings
  const user = await hooked('user', () => userOf?.(request))
  if (user instanceof Response) return user
  const reveals: Reveals = (subject) => mayReveal?.({ user, request, subject }) === true
  return lend({ request, user }, (service) => handle({ service, request, params, user, reveals }))
}

/**
 * What a hook returns. If it throws, the program has failed, not the request, whatever the error is.
 *
 * @throws Error; the error of the hook if it is one of a store that may answer later
 */
export async function hooked<Result>(name: string, call: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await call()
  } catch (cause) {
    if (statusOf(cause) === 503) throw cause
    throw new Error(`The option ${name} of http(...) has thrown an error`, { cause })
  }
}

/** @throws HttpError `REQUEST_FORBIDDEN` */
export async function checkRead({ service, user, request }: Exchange, read: Read): Promise<void> {
  const { mayRead } = service.settings
  const ask = () => mayRead?.({ ...read, user, request } as never)
  const isAllowed = mayRead === undefined || (await hooked('mayRead', ask)) === true
  if (!isAllowed) throw new HttpError('REQUEST_FORBIDDEN', { what: 'read this' })
}

/** An answer as JSON, in the form that the client accepts. */
export function answer(exchange: Exchange, value: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return answerText(exchange, JSON.stringify(written(exchange, value)), headers)
}

/** An answer whose JSON was made by `written`. */
export function answerText(exchange: Exchange, json: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(json, {
    headers: {
      'Content-Type': acceptsMarked(exchange.request) ? markedType : plainType,
      'Cache-Control': 'no-store',
      Vary: 'Accept',
      ...headers,
    },
  })
}

/** A value in the form that the client accepts. */
export const written = ({ request, reveals }: Exchange, value: unknown): Json =>
  acceptsMarked(request) ? marked(value, reveals) : plain(value, reveals)

/** Whether the client is the typed one, which understands marks. */
const acceptsMarked = (request: Request): boolean => accepts(request, markedType)

export const accepts = ({ headers }: Request, type: string): boolean =>
  (headers.get('accept') ?? '').toLowerCase().includes(type)

/** A signal that is aborted when the time of a request is over, or its client has gone. `end` lets it go. */
export function deadline({ service, request }: Exchange): { readonly signal: AbortSignal; readonly end: () => void } {
  const { timeoutMs } = service.settings
  const ended = new AbortController()
  const onGone = () => ended.abort(new CancelledError('ABORTED', { what: 'The request' }))
  const timer = startTimer(() => ended.abort(new HttpError('REQUEST_TIMED_OUT', { timeoutMs })), timeoutMs)
  if (request.signal.aborted) onGone()
  else request.signal.addEventListener('abort', onGone, { once: true })
  const end = () => {
    stopTimer(timer)
    request.signal.removeEventListener('abort', onGone)
  }
  return { signal: ended.signal, end }
}

/**
 * Gives a read a limit of time.
 *
 * @throws HttpError `REQUEST_TIMED_OUT`; what the read throws
 */
export async function inTime<Result>(
  exchange: Exchange,
  read: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const { signal, end } = deadline(exchange)
  const { promise: late, reject } = Promise.withResolvers<never>()
  late.catch(() => {})
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([read(signal), late])
  } finally {
    end()
  }
}

/** The parameters of a query. Each is known, and there once. */
export type QueryParameters<Name extends string> = Readonly<Partial<Record<Name, string>>>

/**
 * @param lists the names of parameters that may be there several times
 * @throws HttpError `REQUEST_MALFORMED`
 */
export function parametersOf<const Name extends string>(
  request: Request,
  known: readonly Name[],
  lists: readonly string[] = [],
): QueryParameters<Name> {
  const found: Record<string, string> = Object.create(null)
  for (const [name, value] of new URL(request.url).searchParams) {
    if (lists.includes(name)) continue
    if (!(known as readonly string[]).includes(name)) {
      const names = [...known, ...lists].join(', ') || 'those of this address, which has none'
      malformed(`its query has a parameter that is none of ${names}`)
    }
    if (name in found) malformed(`its query has ${name} twice`)
    found[name] = value
  }
  return found as QueryParameters<Name>
}

/** The filters in `?types=A&types=B&aggregates=account&tags=vip`. */
export function filtersOf({ url }: Request): EventFilters {
  const { searchParams } = new URL(url)
  const names = (['types', 'aggregates', 'tags'] as const).filter((name) => searchParams.has(name))
  return Object.fromEntries(names.map((name) => [name, searchParams.getAll(name)]))
}

/** The greatest number of items in a page: at least one. @throws HttpError `REQUEST_MALFORMED` */
export const limitOf = ({ settings }: Shared, text: string | undefined): number => limitIn(text, settings.pageSizeMax)

/** The response to an error. */
export function failed(error: unknown, headers?: Readonly<Record<string, string>>): Response {
  return problemResponse(problemOf(error), headers)
}
