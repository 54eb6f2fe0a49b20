/** The log and the streams of aggregates, as Durable Streams of JSON: each event is a message. */
import { shownEvent } from '../events.ts'
import { checkRead, type Exchange } from '../exchange.ts'
import { plain, plainType } from '../representation.ts'
import { aggregateOf } from '../routes.ts'
import { addressed } from '../states.ts'
import { readDurable } from './protocol.ts'
import { logSource, type MessageOf, streamSource } from './source.ts'

/** `GET /streams`: the log. */
export async function readLogStream(exchange: Exchange): Promise<Response> {
  const { service, request } = exchange
  await checkRead(exchange, { kind: 'log' })
  const source = logSource({
    ...shared(exchange),
    subscribe: ({ at }, signal) => service.bank.events({ from: at + 1, pageSize: 1, signal }),
  })
  return readDurable(service, request, source)
}

/** `GET /streams/account/ada`: the stream of an aggregate. */
export async function readAggregateStream(exchange: Exchange): Promise<Response> {
  const { service, request } = exchange
  const { key, id } = addressed(exchange)
  await checkRead(exchange, { kind: 'stream', aggregate: key, id })
  const stream = { aggregate: aggregateOf(service, key).name, id }
  const handle = service.bank[key](id)
  const source = streamSource(stream, {
    ...shared(exchange),
    subscribe: ({ at }, signal) => handle.events({ from: at + 1, pageSize: 1, signal }),
  })
  return readDurable(service, request, source)
}

function shared({ service, reveals }: Exchange) {
  const { inside, settings } = service
  const messageOf: MessageOf = (event) => JSON.stringify(plain(shownEvent(service, inside.readable(event)), reveals))
  return { store: inside.store, contentType: plainType, messageOf, limit: settings.pageSizeMax }
}
