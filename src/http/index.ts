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
export { type Problem, statusOf } from './problem.ts'
