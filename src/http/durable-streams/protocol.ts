/**
 * The reading part of the Durable Streams protocol (version 1.0): catch up from an offset, long polls, and server-sent
 * events. An entity tag has a digest of the body, so "not modified" is only said of the very same bytes. Writing is
 * left out: events are made by commands.
 */
import { HttpError } from '../../domain/error.ts'
import { startTimer, stopTimer } from '../../runtime/timers.ts'
import { malformed } from '../body.ts'
import { parametersOf, type Service } from '../exchange.ts'
import { sseBody } from '../sse-body.ts'
import { takePlace } from '../stream-places.ts'
import { cursorAfter, offsetOf, type Place, placeOf } from './offset.ts'
import type { DurableSource, Messages } from './source.ts'

const sseType = 'text/event-stream'
const upToDate = { 'Stream-Up-To-Date': 'true' }

/**
 * Answers a read.
 *
 * @throws HttpError `REQUEST_MALFORMED`, `ROUTE_UNKNOWN`; StoreError `LOG_REPLACED`
 */
export async function readDurable(service: Service, request: Request, source: DurableSource): Promise<Response> {
  const { offset, live, cursor } = parametersOf(request, ['offset', 'live', 'cursor'])
  const from = placeOf(offset)
  if (live !== undefined && live !== 'long-poll' && live !== 'sse') malformed('live is neither long-poll nor sse')
  if (live !== undefined && offset === undefined) malformed('a live read needs an offset')
  const tail = await source.tail()
  if (tail === undefined) throw new HttpError('ROUTE_UNKNOWN', { what: 'stream' })
  if (request.method === 'HEAD') {
    return new Response(null, { headers: headersOf(source, tail) })
  }
  const place = from === 'now' ? tail : from
  if (live === 'sse') return followed(service, request, source, await source.read(place), cursor)
  if (live === 'long-poll') return polled(service, request, source, place, cursor)
  if (from === 'now') return new Response(bodyOf(source, []), { headers: { ...headersOf(source, tail), ...upToDate } })
  return caughtUp(request, source, place, await source.read(place))
}

/** The messages of a page, or 304 if the client has them. */
async function caughtUp(
  request: Request,
  source: DurableSource,
  start: Place,
  { messages, place, isLast }: Messages,
  more: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const body = bodyOf(source, messages)
  const etag = `"${offsetOf(start)}:${offsetOf(place)}:${await digestOf(body)}"`
  const headers = { ...headersOf(source, place), ETag: etag, ...(isLast && upToDate), ...more }
  const known = request.headers
    .get('if-none-match')
    ?.split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
  if (known?.includes(etag) === true) return new Response(null, { status: 304, headers })
  return new Response(body, { headers })
}

/** The next messages, as soon as there are any; 204 if none come. */
async function polled(
  service: Service,
  request: Request,
  source: DurableSource,
  start: Place,
  given: string | undefined,
): Promise<Response> {
  const giveBack = takePlace(service)
  const over = new AbortController()
  const end = () => over.abort()
  const timer = startTimer(end, service.settings.longPollMs)
  request.signal.addEventListener('abort', end, { once: true })
  // When the domain stops, nothing comes any more.
  const ended = AbortSignal.any([over.signal, service.inside.stopped])
  try {
    let place = start
    while (true) {
      const page = await source.read(place)
      const cursor = { 'Stream-Cursor': cursorAfter(given, Date.now()) }
      if (page.messages.length > 0) return await caughtUp(request, source, place, page, cursor)
      place = page.place
      if (ended.aborted) {
        return new Response(null, { status: 204, headers: { ...headersOf(source, place), ...upToDate, ...cursor } })
      }
      if (page.isLast) await source.grown(place, ended)
    }
  } finally {
    giveBack()
    stopTimer(timer)
    request.signal.removeEventListener('abort', end)
  }
}

/** Messages as they come. After each there is a control event, with the offset at which to continue. */
function followed(
  service: Service,
  request: Request,
  source: DurableSource,
  first: Messages,
  given: string | undefined,
): Response {
  async function* pages(signal: AbortSignal): AsyncGenerator<Messages, void, void> {
    yield first
    let { place, isLast } = first
    while (true) {
      if (isLast) await source.grown(place, signal)
      if (signal.aborted || service.inside.stopped.aborted) return
      const page = await source.read(place)
      if (page.messages.length > 0) yield page
      ;({ place, isLast } = page)
    }
  }
  let cursor = given
  const messageOf = ({ messages, place, isLast }: Messages): string => {
    cursor = cursorAfter(cursor, Date.now())
    const control = { streamNextOffset: offsetOf(place), streamCursor: cursor, ...(isLast && { upToDate: true }) }
    const data = messages.length === 0 ? '' : `event: data\n${linesOf(bodyOf(source, messages))}\n\n`
    return `${data}event: control\ndata:${JSON.stringify(control)}\n\n`
  }
  // A client that gets nothing connects again, and learns why.
  const body = sseBody({ service, request, events: pages, messageOf, failedMessage: () => ': failed\n\n' })
  return new Response(body, {
    headers: { 'Content-Type': sseType, 'Cache-Control': 'no-cache, no-store', 'X-Accel-Buffering': 'no' },
  })
}

/** A text as lines of an event. A line break in it cannot begin another field. */
const linesOf = (text: string): string =>
  text
    .split(/\r\n|\r|\n/)
    .map((line) => `data:${line.startsWith(' ') ? ' ' : ''}${line}`)
    .join('\n')

const headersOf = ({ contentType }: DurableSource, place: Place): Record<string, string> => ({
  'Content-Type': contentType,
  // An event may be for one reader only, and a person may be forgotten.
  'Cache-Control': 'no-store',
  'Stream-Next-Offset': offsetOf(place),
})

const bodyOf = ({ contentType }: DurableSource, messages: readonly string[]): string =>
  contentType.startsWith('application/json') ? `[${messages.join(',')}]` : messages.join('')

async function digestOf(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
  return Array.from(bytes.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
