/** A running domain over HTTP. */
export { http } from './http.ts'
export type {
  AnyRunning,
  CommandIn,
  EventFilters,
  HttpLimits,
  HttpOptions,
  Lending,
  ReadIn,
  TenantsHttpOptions,
} from './options.ts'
export {
  commandOptionsOf,
  followOptionsOf,
  headersOf,
  jsonOf,
  pageOptionsOf,
  type RequestedOptions,
  responseTo,
  type WithHeaders,
  waitOptionsOf,
} from './own-routes.ts'
export { type Problem, statusOf } from './problem.ts'
