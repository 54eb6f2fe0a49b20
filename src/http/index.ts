/** A running domain over HTTP. */
export { http } from './http.ts'
export type { AnyRunning, CommandIn, EventFilters, HttpLimits, HttpOptions, ReadIn } from './options.ts'
export { type Problem, statusOf } from './problem.ts'
