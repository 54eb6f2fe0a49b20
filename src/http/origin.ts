/**
 * Which pages may use the service. Browsers send cookies along with requests of any page, so a request of a page of
 * another origin is refused, unless the origin is listed. The host names of the service can be listed too: a page whose
 * name was made to point here (DNS rebinding) is of the same origin, but its name is not one of them.
 */
import { HttpError } from '../domain/error.ts'
import type { Settings } from './options.ts'

/** The headers of answers that pages of other origins may read. */
const exposed = 'ETag, Retry-After, Mneme-Position, Stream-Next-Offset, Stream-Cursor, Stream-Up-To-Date, Stream-Closed'
/** The headers that they may send. */
const accepted =
  'Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Mneme-Position, Prefer, Traceparent, Tracestate'

/** @throws HttpError `HOST_FORBIDDEN`, `ORIGIN_FORBIDDEN` */
export function checkOrigin(request: Request, { hosts, origins }: Settings): void {
  const { host } = new URL(request.url)
  if (hosts !== undefined && !hosts.includes(host)) throw new HttpError('HOST_FORBIDDEN', { host })
  const origin = request.headers.get('origin')
  if (origin === null) checkSite(request.headers)
  if (origin === null || origins?.includes(origin) === true) return
  const isSame = URL.canParse(origin) && new URL(origin).host === host
  if (!isSame) throw new HttpError('ORIGIN_FORBIDDEN', { origin })
}

/**
 * Browsers send no `Origin` with images, scripts and the like, but they say what kind of page they are for.
 *
 * @throws HttpError `ORIGIN_FORBIDDEN`
 */
function checkSite(headers: Headers): void {
  const site = headers.get('sec-fetch-site')
  const isOther = site === 'cross-site' || site === 'same-site'
  // A link that somebody follows shows its answer to nobody else.
  if (isOther && headers.get('sec-fetch-mode') !== 'navigate') {
    throw new HttpError('ORIGIN_FORBIDDEN', { origin: `of a page that is ${site}` })
  }
}

/** The headers that let pages of a listed origin read an answer. */
export function crossOriginHeaders(request: Request, { origins }: Settings): Readonly<Record<string, string>> {
  const origin = request.headers.get('origin')
  if (origin === null || origins?.includes(origin) !== true) return {}
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Expose-Headers': exposed,
  }
}

/** The answer to a browser that asks whether a page of a listed origin may send a request. */
export function preflight(request: Request, settings: Settings): Response | undefined {
  const isAsked = request.method === 'OPTIONS' && request.headers.has('access-control-request-method')
  if (!isAsked || !settings.origins?.includes(request.headers.get('origin') ?? '')) return undefined
  const headers = {
    'Access-Control-Allow-Methods': 'GET, HEAD, POST',
    'Access-Control-Allow-Headers': accepted,
    'Access-Control-Max-Age': '600',
  }
  return new Response(null, { status: 204, headers })
}
