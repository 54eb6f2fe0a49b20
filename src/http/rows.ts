/** Reads of projections: rows that a query finds, in pages; one row by its key; the state of a projection. */
import { decode } from '../domain/encoding.ts'
import { HttpError, hasCode, StoreError } from '../domain/error.ts'
import type { Json } from '../domain/json.ts'
import type { Filter, Query } from '../projection/reading/query.ts'
import type { WaitOptions } from '../projection/running/status.ts'
import { startTimer, stopTimer } from '../runtime/timers.ts'
import { malformed } from './body.ts'
import { answer, checkRead, type Exchange, inTime, limitOf, parametersOf, type QueryParameters } from './exchange.ts'
import { pageCharactersMax } from './page-size.ts'
import { positionOf } from './request-headers.ts'
import { projectionOf } from './routes.ts'

/**
 * `GET /projections/balances?where={"balance":{"gte":100}}&orderBy=[["balance","descending"]]&limit=20`: a page of rows
 * with their keys. `next` is the `after` of the next page. A projection with one state gives that.
 */
export async function findRows(exchange: Exchange): Promise<Response> {
  const { service, request, params } = exchange
  const key = params['projection']!
  const { shape } = projectionOf(service, key)
  // Its tables are read with SQL, which never comes from outside.
  if (shape === 'code') throw new HttpError('ROUTE_UNKNOWN', { what: 'projection' })
  const wait = waitOf(exchange)
  if (shape === 'state') {
    parametersOf(request, [])
    await checkRead(exchange, { kind: 'projection state', projection: key })
    return answer(exchange, await waited(exchange, wait, (options) => service.bank[key].state(options)))
  }
  const query = queryOf(exchange)
  await checkRead(exchange, { kind: 'rows', projection: key, query })
  const find: Read = (options) => service.inside.find(key, query, options, pageCharactersMax)
  return answer(exchange, await found(exchange, wait, find))
}

/** `GET /counts/balances?where={"balance":{"gte":100}}`: how many rows there are. Who may find rows may count them. */
export async function countRows(exchange: Exchange): Promise<Response> {
  const { service, request, params } = exchange
  const key = params['projection']!
  if (projectionOf(service, key).shape !== 'rows') throw new HttpError('ROUTE_UNKNOWN', { what: 'projection' })
  const wait = waitOf(exchange)
  const filter = filterOf(parametersOf(request, ['where', 'or']))
  await checkRead(exchange, { kind: 'rows', projection: key, query: filter })
  const count = await found(exchange, wait, (options) => service.bank[key].count(filter, options))
  return answer(exchange, { count })
}

/** `GET /projections/balances/ada`: a row. */
export async function readRow(exchange: Exchange): Promise<Response> {
  const { service, request, params } = exchange
  const projection = params['projection']!
  const { shape } = projectionOf(service, projection)
  if (shape === 'code' || shape === 'state') throw new HttpError('ROUTE_UNKNOWN', { what: 'projection' })
  parametersOf(request, [])
  const wait = waitOf(exchange)
  const key = params['key']!
  await checkRead(exchange, { kind: 'row', projection, key })
  const row = await waited(exchange, wait, (options) => service.bank[projection].get(key, options))
  if (row === undefined) throw new HttpError('ROW_UNKNOWN', { projection })
  return answer(exchange, row)
}

/** A read model that has not handled the position in the header is waited for. */
function waitOf({ request, service }: Exchange): WaitOptions {
  const atLeast = positionOf(request.headers)
  const timeoutMs = Math.min(5_000, service.settings.timeoutMs)
  return atLeast === undefined ? { timeoutMs } : { atLeast, timeoutMs }
}

type Read = (wait: WaitOptions) => Promise<unknown>

/** How long a read waits for its position before it asks whether there is one. Usually it has been handled by then. */
const patienceMs = 100

/**
 * Reads when the position has been handled. A position that the log does not have never is: it is one of a log that was
 * replaced, or made up.
 *
 * @throws StoreError `LOG_REPLACED`; what the read throws
 */
async function waited(exchange: Exchange, wait: WaitOptions, read: Read): Promise<unknown> {
  const { atLeast: position } = wait
  if (position === undefined) return inTime(exchange, (signal) => read({ ...wait, signal }))
  const { bank, inside } = exchange.service
  const { promise: isWrong, reject } = Promise.withResolvers<never>()
  const ended = new AbortController()
  const check = async () => {
    const head: number = await bank.head()
    if (head < position) reject(new StoreError('LOG_REPLACED', { store: inside.store.name, position, head }))
  }
  // A store that does not answer is met by the read itself.
  const timer = startTimer(() => void check().catch(() => {}), patienceMs)
  isWrong.catch(() => {})
  try {
    return await inTime(exchange, (signal) =>
      Promise.race([read({ ...wait, signal: AbortSignal.any([signal, ended.signal]) }), isWrong]),
    )
  } finally {
    stopTimer(timer)
    ended.abort()
  }
}

function queryOf({ request, service }: Exchange): Query<any> {
  const { orderBy, limit, after, ...filter } = parametersOf(request, ['where', 'or', 'orderBy', 'limit', 'after'])
  return {
    ...filterOf(filter),
    ...(orderBy !== undefined && { orderBy: jsonIn('orderBy', orderBy) }),
    ...(after !== undefined && { after }),
    limit: limitOf(service, limit),
  } as Query<any>
}

const filterOf = ({ where, or }: QueryParameters<'where' | 'or'>): Filter<any> =>
  ({
    ...(where !== undefined && { where: jsonIn('where', where) }),
    ...(or !== undefined && { or: jsonIn('or', or) }),
  }) as Filter<any>

/** A parameter that is JSON. `{ "$date": "2026-01-01T00:00:00.000Z" }` is a date, as in rows for the typed client. */
function jsonIn(name: string, text: string): unknown {
  let json: Json
  try {
    json = JSON.parse(text, (key, value) => (key === '$personal' ? malformed(`${name} has a personal value`) : value))
    return decode(json)
  } catch (error) {
    throw error instanceof HttpError ? error : new HttpError('REQUEST_MALFORMED', { reason: `${name} is not JSON` })
  }
}

/** What a query finds. Here an invalid option comes from the client, and its words name only what the client sent. */
async function found(exchange: Exchange, wait: WaitOptions, find: Read): Promise<unknown> {
  try {
    return await waited(exchange, wait, find)
  } catch (error) {
    if (!hasCode(error, 'OPTION_INVALID')) throw error
    const { option, expected } = error.facts
    return malformed(`${option.slice(0, 80).toWellFormed()} must be ${expected}`)
  }
}
