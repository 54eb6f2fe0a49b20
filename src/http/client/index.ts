/** A client with the types of a domain, for browsers and everything else that has `fetch`. */
export { client } from './client.ts'
export type { ClientOptions } from './connection.ts'
export { ProblemError } from './problem-error.ts'
export type {
  Client,
  RemoteCommandOptions,
  RemoteEventsOptions,
  RemoteHandle,
  RemoteInstances,
  RemoteLogOptions,
  RemoteReadOptions,
  RemoteWaitOptions,
  Shown,
} from './types.ts'
