/** Reads of aggregates: a state, now or earlier, and the ids of all instances. */
import { HttpError } from '../domain/error.ts'
import { malformed } from './body.ts'
import { answer, checkRead, type Exchange, inTime, limitOf, parametersOf } from './exchange.ts'
import { wholeParameter } from './parameters.ts'
import { etagOf, positionHeader } from './request-headers.ts'
import { aggregateOf } from './routes.ts'

/** `GET /aggregates/account/ada`: the state, with its sequence as ETag. */
export async function readState(exchange: Exchange): Promise<Response> {
  const { service, request, params } = exchange
  const { key, id } = addressed(exchange)
  const { sequence: before, time } = parametersOf(request, ['sequence', 'time'])
  const at = { ...sequenceAt(before), ...timeAt(time) }
  await checkRead(exchange, { kind: 'state', aggregate: key, id })
  const reading = await inTime(exchange, () => service.bank[params['aggregate']!](id).read(at))
  const { state, sequence, position } = reading as { state: unknown; sequence: number; position: number }
  const isNewest = before === undefined && time === undefined
  const headers = { ...(isNewest && { ETag: etagOf(sequence) }), [positionHeader]: String(position) }
  return answer(exchange, { state, sequence, position }, headers)
}

/** `GET /aggregates/account`: the ids of a page. */
export async function listIds(exchange: Exchange): Promise<Response> {
  const { service, request, params } = exchange
  const key = params['aggregate']!
  aggregateOf(service, key)
  const { after, limit } = parametersOf(request, ['after', 'limit'])
  const options = { limit: limitOf(service, limit) }
  await checkRead(exchange, { kind: 'ids', aggregate: key })
  const page = await inTime(exchange, () =>
    service.bank[key].ids({ ...options, ...(after !== undefined && { after }) }),
  )
  return answer(exchange, page)
}

/** The aggregate and the id in the path. @throws HttpError `ROUTE_UNKNOWN` */
export function addressed({ service, params }: Exchange): { readonly key: string; readonly id: string } {
  const key = params['aggregate']!
  aggregateOf(service, key)
  const id = params['id']!
  if (id === '') throw new HttpError('ROUTE_UNKNOWN', { what: 'route' })
  return { key, id }
}

function sequenceAt(text: string | undefined): { readonly sequence?: number } {
  const sequence = wholeParameter('sequence', text)
  return sequence === undefined ? {} : { sequence }
}

function timeAt(text: string | undefined): { readonly time?: Date } {
  if (text === undefined) return {}
  const time = new Date(text)
  const isIso = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
  return isIso && Number.isFinite(time.getTime()) ? { time } : malformed('time is not a time in ISO 8601')
}
