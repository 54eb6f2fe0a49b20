/** Events as they leave the service, and the history of an aggregate in pages. */
import type { RecordedEvent } from '../domain/event.ts'
import { malformed } from './body.ts'
import {
  answer,
  checkRead,
  type Exchange,
  inTime,
  limitOf,
  parametersOf,
  type Service,
  wholeParameter,
} from './exchange.ts'
import { addressed } from './states.ts'

/** An event as clients get it. Its metadata says who has sent the command, so it is left out unless it is wanted. */
export function shownEvent({ settings }: Service, event: RecordedEvent): RecordedEvent {
  return settings.showMetadata === true ? event : { ...event, metadata: {} }
}

/** `GET /aggregates/account/ada/events`: a page of its history. `next` is the `from` of the next page. */
export async function readHistory(exchange: Exchange): Promise<Response> {
  const { service, request } = exchange
  const { key, id } = addressed(exchange)
  const given = parametersOf(request, ['from', 'to', 'direction', 'limit'])
  const limit = limitOf(service, given.limit)
  const from = wholeParameter('from', given.from)
  const to = wholeParameter('to', given.to)
  const { direction = 'forward' } = given
  if (direction !== 'forward' && direction !== 'backward') malformed('direction is neither forward nor backward')
  await checkRead(exchange, { kind: 'stream', aggregate: key, id })
  const range = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
  const events = await inTime(exchange, async (signal) => {
    const found: RecordedEvent[] = []
    // One more than wanted, to know whether there is a next page.
    const read = service.bank[key](id).history({ ...range, direction, limit: limit + 1, signal })
    for await (const event of read) found.push(event)
    return found
  })
  const page = events.slice(0, limit).map((event) => shownEvent(service, event))
  const following = events[limit]
  const next = following === undefined ? {} : nextPage(direction, following.sequence)
  return answer(exchange, { events: page, ...next })
}

/** The parameter with which the next page begins at an event. */
const nextPage = (direction: 'forward' | 'backward', sequence: number): object =>
  direction === 'forward' ? { next: { from: sequence } } : { next: { to: sequence + 1 } }
