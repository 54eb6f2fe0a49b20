/**
 * Events as server-sent events: those of the log, or of one aggregate. The id of each is its place, so a browser that
 * connects again continues after the last event it has handled (`Last-Event-ID`).
 */

import type { RecordedEvent } from '../domain/event.ts'
import { malformed } from './body.ts'
import { shownEvent } from './events.ts'
import { checkRead, type Exchange, filtersOf, parametersOf, written } from './exchange.ts'
import { problemOf } from './problem.ts'
import { wholeNumber } from './request-headers.ts'
import { sseBody } from './sse-body.ts'
import { addressed } from './states.ts'

export const eventStreamType = 'text/event-stream'

/** An event with its place. */
type Placed = RecordedEvent & { readonly checksum: number }
type Subscribe = (signal: AbortSignal) => AsyncIterable<Placed>

/** `GET /events`: the events of the log after a place, or from a position on, then live. */
export async function followLog(exchange: Exchange): Promise<Response> {
  const { service, request } = exchange
  const { bank, inside } = service
  const given = parametersOf(request, ['from'], ['types', 'aggregates', 'tags'])
  const filters = filtersOf(request)
  const [position, checksum] = numbersOf(request.headers.get('last-event-id'), 2)
  const after = position === undefined ? undefined : { position, ...(checksum !== undefined && { checksum }) }
  await checkRead(exchange, { kind: 'log', ...filters })
  if (after !== undefined) {
    // Tells at once if the log does not have the place any more.
    await inside.store.readAll({ from: after.position + 1, to: after.position + 2 }, { limit: 1, behind: after })
  }
  const start = after === undefined ? { from: fromOf(given.from) } : { after }
  const subscribe: Subscribe = (signal) => bank.events({ ...filters, ...start, pageSize, signal })
  return streamed(exchange, subscribe, ({ position: at, checksum: sum }) => `${at}-${sum}`)
}

/** `GET /aggregates/account/ada/events` with `Accept: text/event-stream`: the events of an aggregate, then live. */
export async function followAggregate(exchange: Exchange): Promise<Response> {
  const { service, request } = exchange
  const { key, id } = addressed(exchange)
  const given = parametersOf(request, ['from'])
  const [sequence, position, checksum] = numbersOf(request.headers.get('last-event-id'), 3)
  await checkRead(exchange, { kind: 'stream', aggregate: key, id })
  const isPlace = position !== undefined && checksum !== undefined
  const from = sequence === undefined ? fromOf(given.from) : sequence + 1
  const start = isPlace ? { after: { sequence, position, checksum } } : { from }
  const subscribe: Subscribe = (signal) => service.bank[key](id).events({ ...start, pageSize, signal })
  return streamed(exchange, subscribe, ({ sequence: at, position: where, checksum: sum }) => `${at}-${where}-${sum}`)
}

/** How many events a stream reads at once. They are in memory until its client has taken them. */
const pageSize = 100

function streamed(exchange: Exchange, subscribe: Subscribe, idOf: (event: Placed) => string): Response {
  const { service, request } = exchange
  const headers = { 'Content-Type': eventStreamType, 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' }
  if (request.method === 'HEAD') return new Response(null, { headers })
  const messageOf = (event: Placed) =>
    `id: ${idOf(event)}\ndata: ${JSON.stringify(written(exchange, shownEvent(service, event)))}\n\n`
  return new Response(sseBody({ service, request, events: subscribe, messageOf, failedMessage }), { headers })
}

/** What a client gets in place of events that cannot be read. */
const failedMessage = (error: unknown): string => `event: problem\ndata: ${JSON.stringify(problemOf(error))}\n\n`

/** The numbers of an id such as `17-4711`. @throws HttpError `REQUEST_MALFORMED` */
function numbersOf(id: string | null, most: number): readonly (number | undefined)[] {
  if (id === null || id === '') return []
  const numbers = id.split('-').map(wholeNumber)
  const isGood = numbers.length <= most && numbers.every((number) => number !== undefined)
  return isGood ? numbers : malformed('Last-Event-ID is not the id of an event')
}

/** @throws HttpError `REQUEST_MALFORMED` */
function fromOf(text: string | undefined): number | 'now' {
  if (text === undefined) return 1
  return text === 'now' ? 'now' : (wholeNumber(text) ?? malformed("from is neither a number nor 'now'"))
}
