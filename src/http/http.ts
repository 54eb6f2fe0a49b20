/**
 * A running domain over HTTP: a function that takes a request and returns the response. It works in every framework and
 * platform that has `Request` and `Response`.
 *
 * It promises: a command is decided only if its sender may send it, and nothing is read that its sender may not read.
 * Every failure is a problem with a code. No answer has a stack, a message of an error, or a personal value that the
 * hooks do not reveal. It leaves out: sessions, TLS, compression and rate limits, which frameworks and proxies have.
 *
 * Tidy: imports a package because routes are matched by Hono, an optional peer dependency of this entry.
 */
import { type Context, Hono } from 'hono'
import { WarningLimit } from '../application/warning-limit.ts'
import { HttpError } from '../domain/error.ts'
import { warnTo } from '../runtime/logger.ts'
import { malformed } from './body.ts'
import { sendCommand } from './commands.ts'
import { readAggregateStream, readLogStream } from './durable-streams/reads.ts'
import { eventStreamType, followAggregate, followLog } from './event-stream.ts'
import { readHistory } from './events.ts'
import { accepts, type Exchange, exchanged, failed, type Lend, type Shared } from './exchange.ts'
import { lendingOf } from './lending.ts'
import { readDocument } from './openapi/document.ts'
import {
  type AnyRunning,
  type HttpOptions,
  type Lending,
  type Settings,
  settle,
  type TenantsHttpOptions,
} from './options.ts'
import { checkOrigin, crossOriginHeaders, preflight } from './origin.ts'
import { idIn } from './path.ts'
import { report } from './report.ts'
import { countRows, findRows, readRow } from './rows.ts'
import { listIds, readState } from './states.ts'

type Handler = (exchange: Exchange) => Promise<Response>

/** The events of an aggregate: live for clients that ask for a stream, otherwise a page. */
const eventsOf: Handler = (exchange) =>
  accepts(exchange.request, eventStreamType) ? followAggregate(exchange) : readHistory(exchange)

/** The routes: by path, then by method. HEAD is answered as GET is. */
const routes: Readonly<Record<string, Partial<Record<'GET' | 'POST', Handler>>>> = {
  '/aggregates/:aggregate': { GET: listIds },
  '/aggregates/:aggregate/:id': { GET: readState },
  '/aggregates/:aggregate/:id/events': { GET: eventsOf },
  '/aggregates/:aggregate/:id/:command': { POST: sendCommand },
  '/events': { GET: followLog },
  '/openapi.json': { GET: readDocument },
  '/streams': { GET: readLogStream },
  '/streams/:aggregate/:id': { GET: readAggregateStream },
  '/projections/:projection': { GET: findRows },
  '/projections/:projection/:key': { GET: readRow },
  '/counts/:projection': { GET: countRows },
}

/**
 * Serves a running domain. Without options, everybody may send and read everything, except personal values.
 *
 *     const handle = http(bank, {
 *       user: (request) => userOf(request) ?? new Response(null, { status: 401 }),
 *       maySend: ({ user, command }) => command.id === user.account,
 *       mayRead: ({ user, ...what }) => what.kind === 'state' && what.id === user.account,
 *     })
 *     Bun.serve({ fetch: handle })
 *
 * @returns a function that never throws: it answers every request
 * @throws DefinitionError `OPTION_INVALID`
 */
export function http<Bank extends AnyRunning, User = undefined>(
  bank: Bank,
  options?: HttpOptions<Bank, User>,
): (request: Request) => Promise<Response>
/**
 * Serves the domains of many tenants. The option `tenant` says whose domain a request is for. It is kept open until the
 * request is answered, and as long as a stream lasts.
 *
 *     const handle = http(banks, {
 *       user: (request) => userOf(request) ?? new Response(null, { status: 401 }),
 *       tenant: ({ user }) => user.company,
 *     })
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function http<Bank extends AnyRunning, User = undefined>(
  tenants: Lending<Bank>,
  options: TenantsHttpOptions<Bank, User>,
): (request: Request) => Promise<Response>
export function http(
  bank: unknown,
  options: Partial<TenantsHttpOptions<any, any>> = {},
): (request: Request) => Promise<Response> {
  const settings = settle(options)
  const { warn } = new WarningLimit(warnTo(settings.log ?? console))
  const tell = (cause: unknown) => report(warn, cause)
  const shared: Shared = { settings, streams: { open: 0 }, report: tell }
  const lend = lendingOf(bank, shared)
  const failure = (error: unknown, headers?: Readonly<Record<string, string>>) => {
    tell(error)
    return failed(error, headers)
  }
  const app = routed(shared, lend, failure)
  return async (request) => {
    try {
      checkOrigin(request, settings)
      checkPath(request)
      return withHeaders(preflight(request, settings) ?? (await app.fetch(request)), request, settings)
    } catch (error) {
      return withHeaders(failure(error), request, settings)
    }
  }
}

function routed(
  shared: Shared,
  lend: Lend,
  failure: (error: unknown, headers?: Record<string, string>) => Response,
): Hono {
  const app = new Hono().basePath(shared.settings.basePath)
  const handled = (handler: Handler) => async (context: Context) => {
    try {
      const params = Object.entries<string>(context.req.param()).map(([name, value]) => [name, idIn(value)])
      const request = { request: context.req.raw, params: Object.fromEntries(params) }
      return await exchanged(shared, lend, request, handler)
    } catch (error) {
      return failure(error)
    }
  }
  for (const [path, { GET: get, POST: post }] of Object.entries(routes)) {
    if (get !== undefined) app.get(path, handled(get))
    if (post !== undefined) app.post(path, handled(post))
    const allowed = [...(get === undefined ? [] : ['GET', 'HEAD']), ...(post === undefined ? [] : ['POST'])].join(', ')
    app.all(path, ({ req: { method } }) =>
      failure(new HttpError('METHOD_NOT_ALLOWED', { method, allowed }), { Allow: allowed }),
    )
  }
  app.notFound(() => failure(new HttpError('ROUTE_UNKNOWN', { what: 'route' })))
  return app
}

/** Refuses a path that could be read in two ways. @throws HttpError `REQUEST_MALFORMED` */
function checkPath({ url }: Request): void {
  try {
    decodeURIComponent(new URL(url).pathname)
  } catch {
    malformed('its path has a broken percent encoding')
  }
}

/** A response with the headers that all have. A response from outside may have headers that cannot be changed. */
function withHeaders(response: Response, request: Request, settings: Settings): Response {
  const crossOrigin = crossOriginHeaders(request, settings)
  const policy = 'Access-Control-Allow-Origin' in crossOrigin ? 'cross-origin' : 'same-origin'
  const own = { 'X-Content-Type-Options': 'nosniff', 'Cross-Origin-Resource-Policy': policy }
  const more: Readonly<Record<string, string>> = { ...own, ...crossOrigin }
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(more)) headers.set(name, value)
  if (settings.origins !== undefined) headers.append('Vary', 'Origin')
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}
