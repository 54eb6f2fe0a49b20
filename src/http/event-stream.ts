/**
 * Events as server-sent events: those of the log, or of one aggregate. The id of each is its place, so a browser that
 * connects again continues after the last event it has handled (`Last-Event-ID`).
 */

import type { RecordedEvent } from '../domain/event.ts'
import { shownEvent } from './events.ts'
import { checkRead, type Exchange, filtersOf, parametersOf, written } from './exchange.ts'
import { livePageSize } from './page-size.ts'
import { idInLog, idInStream } from './place-id.ts'
import { problemOf } from './problem.ts'
import { aggregateOf } from './routes.ts'
import { sseBody } from './sse-body.ts'
import { addressed } from './states.ts'
import { askedStart, startInLog, startInStream } from './stream-start.ts'

export const eventStreamType = 'text/event-stream'

/** An event with its place. Clients get the checksum too, so that they can continue behind an event that they keep. */
type Placed = RecordedEvent & { readonly checksum: number }
type Subscribe = (signal: AbortSignal) => AsyncIterable<Placed>

/** `GET /events`: the events of the log after a place, or from a position on, then live. */
export async function followLog(exchange: Exchange): Promise<Response> {
  const { service, request } = exchange
  const { bank, inside } = service
  const { from } = parametersOf(request, ['from'], ['types', 'aggregates', 'tags'])
  const filters = filtersOf(request)
  const asked = askedStart(from, request.headers.get('last-event-id'), [1, 2])
  await checkRead(exchange, { kind: 'log', ...filters })
  const { options, id } = await startInLog(inside.store, asked, filters)
  const subscribe: Subscribe = (signal) => bank.events({ ...filters, ...options, pageSize: livePageSize, signal })
  return streamed(exchange, subscribe, idInLog, id)
}

/** `GET /aggregates/account/ada/events` with `Accept: text/event-stream`: the events of an aggregate, then live. */
export async function followAggregate(exchange: Exchange): Promise<Response> {
  const { service, request } = exchange
  const { key, id } = addressed(exchange)
  const { from } = parametersOf(request, ['from'])
  const asked = askedStart(from, request.headers.get('last-event-id'), [1, 3])
  await checkRead(exchange, { kind: 'stream', aggregate: key, id })
  const stream = { aggregate: aggregateOf(service, key).name, id }
  const start = await startInStream(service.inside.store, stream, asked)
  const subscribe: Subscribe = (signal) =>
    service.bank[key](id).events({ ...start.options, pageSize: livePageSize, signal })
  return streamed(exchange, subscribe, idInStream, start.id)
}

/** @param startId the id of the place behind which it begins */
function streamed(
  exchange: Exchange,
  subscribe: Subscribe,
  idOf: (event: Placed) => string,
  startId: string | undefined,
): Response {
  const { service, request } = exchange
  const headers = { 'Content-Type': eventStreamType, 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' }
  if (request.method === 'HEAD') return new Response(null, { headers })
  const messageOf = (event: Placed) =>
    `id: ${idOf(event)}\ndata: ${JSON.stringify(written(exchange, shownEvent(service, event)))}\n\n`
  const beginning = startId === undefined ? '' : `id: ${startId}\n`
  return new Response(sseBody({ service, request, events: subscribe, beginning, messageOf, failedMessage }), {
    headers,
  })
}

/** What a client gets in place of events that cannot be read. */
const failedMessage = (error: unknown): string => `event: problem\ndata: ${JSON.stringify(problemOf(error))}\n\n`
