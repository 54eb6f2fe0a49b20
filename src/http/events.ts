/** Events as they leave the service, and the history of an aggregate in pages. */
import type { RecordedEvent } from '../domain/event.ts'
import { malformed } from './body.ts'
import {
  answerText,
  checkRead,
  type Exchange,
  inTime,
  limitOf,
  parametersOf,
  type Service,
  written,
} from './exchange.ts'
import { pageCharactersMax, piece } from './page-size.ts'
import { wholeParameter } from './parameters.ts'
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
  const page = await inTime(exchange, async (signal) => {
    const texts: string[] = []
    let size = 0
    for await (const event of historyOf(service.bank[key](id), { ...range, direction, signal }, limit + 1)) {
      if (texts.length === limit || size >= pageCharactersMax) return { texts, ...nextPage(direction, event.sequence) }
      const text = JSON.stringify(written(exchange, shownEvent(service, event)))
      texts.push(text)
      size += text.length
    }
    return { texts }
  })
  const { texts, ...next } = page
  return answerText(exchange, `{"events":[${texts.join(',')}]${continued(next)}}`)
}

interface Read {
  readonly from?: number
  readonly to?: number
  readonly direction: 'forward' | 'backward'
  readonly signal: AbortSignal
}

/** The events of a history, read a few at once. */
async function* historyOf(handle: any, read: Read, most: number): AsyncGenerator<RecordedEvent, void, void> {
  let place = read
  for (let left = most; left > 0; ) {
    const limit = Math.min(piece, left)
    let last: RecordedEvent | undefined
    let count = 0
    for await (const event of handle.history({ ...place, limit }) as AsyncIterable<RecordedEvent>) {
      yield event
      last = event
      count++
    }
    if (last === undefined || count < limit) return
    left -= count
    place = { ...place, ...(read.direction === 'forward' ? { from: last.sequence + 1 } : { to: last.sequence }) }
  }
}

/** Further members of a record in JSON. */
const continued = (members: object): string => {
  const text = JSON.stringify(members)
  return text === '{}' ? '' : `,${text.slice(1, -1)}`
}

/** The parameter with which the next page begins at an event. */
const nextPage = (direction: 'forward' | 'backward', sequence: number): object =>
  direction === 'forward' ? { next: { from: sequence } } : { next: { to: sequence + 1 } }
