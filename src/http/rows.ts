/** Reads of projections: rows that a query finds, in pages; one row by its key; the state of a projection. */
import { decode } from '../domain/encoding.ts'
import { HttpError, hasCode } from '../domain/error.ts'
import type { Json } from '../domain/json.ts'
import type { Query } from '../projection/reading/query.ts'
import type { WaitOptions } from '../projection/running/status.ts'
import { malformed } from './body.ts'
import { answer, checkRead, type Exchange, inTime, limitOf, parametersOf } from './exchange.ts'
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
    return answer(exchange, await inTime(exchange, (signal) => service.bank[key].state({ ...wait, signal })))
  }
  const query = queryOf(exchange)
  await checkRead(exchange, { kind: 'rows', projection: key, query })
  return answer(exchange, await found(exchange, (signal) => service.bank[key].find(query, { ...wait, signal })))
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
  const row = await inTime(exchange, (signal) => service.bank[projection].get(key, { ...wait, signal }))
  if (row === undefined) throw new HttpError('ROW_UNKNOWN', { projection })
  return answer(exchange, row)
}

/** A read model that has not handled the position in the header is waited for. */
function waitOf({ request, service }: Exchange): WaitOptions {
  const atLeast = positionOf(request.headers)
  const timeoutMs = Math.min(5_000, service.settings.timeoutMs)
  return atLeast === undefined ? { timeoutMs } : { atLeast, timeoutMs }
}

function queryOf({ request, service }: Exchange): Query<any> {
  const { where, or, orderBy, limit, after } = parametersOf(request, ['where', 'or', 'orderBy', 'limit', 'after'])
  return {
    ...(where !== undefined && { where: jsonIn('where', where) }),
    ...(or !== undefined && { or: jsonIn('or', or) }),
    ...(orderBy !== undefined && { orderBy: jsonIn('orderBy', orderBy) }),
    ...(after !== undefined && { after }),
    limit: limitOf(service, limit),
  } as Query<any>
}

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
async function found(exchange: Exchange, find: (signal: AbortSignal) => Promise<unknown>): Promise<unknown> {
  try {
    return await inTime(exchange, find)
  } catch (error) {
    if (!hasCode(error, 'OPTION_INVALID')) throw error
    const { option, expected } = error.facts
    return malformed(`${option.slice(0, 80).toWellFormed()} must be ${expected}`)
  }
}
