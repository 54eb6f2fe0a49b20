/**
 * The addresses of the service, and the parts of the domain that they name.
 *
 *     POST /aggregates/{aggregate}/{id}/{command}    GET /aggregates/{aggregate}/{id}
 *     GET  /aggregates/{aggregate}                   GET /aggregates/{aggregate}/{id}/events
 *     GET  /projections/{projection}                 GET /projections/{projection}/{key}
 *     GET  /counts/{projection}
 *     GET  /events                                   GET /openapi.json
 *     GET  /streams                                  GET /streams/{aggregate}/{id}
 */
import type { AnyAggregate } from '../domain/aggregate.ts'
import type { AnyCodeProjection } from '../domain/code-projection.ts'
import { HttpError } from '../domain/error.ts'
import type { AnyProjection } from '../domain/projection.ts'
import type { Service } from './exchange.ts'

/** The aggregate with this key in the domain. @throws HttpError `ROUTE_UNKNOWN` */
export function aggregateOf({ inside }: Service, key: string): AnyAggregate {
  const { aggregates } = inside
  if (!Object.hasOwn(aggregates, key)) throw new HttpError('ROUTE_UNKNOWN', { what: 'aggregate' })
  return aggregates[key]!
}

/** The projection with this key in the domain. @throws HttpError `ROUTE_UNKNOWN` */
export function projectionOf({ inside }: Service, key: string): AnyProjection | AnyCodeProjection {
  const { projections } = inside
  if (!Object.hasOwn(projections, key)) throw new HttpError('ROUTE_UNKNOWN', { what: 'projection' })
  return projections[key]!
}
