/** The options of `http`: who may do what, limits, and where the service is mounted. */

import { checkFlag, checkKeys, checkOption, checkWhole, listExpected } from '../domain/options.ts'
import type { Logger } from '../runtime/logger.ts'

/** A running domain, as `start` returns it. */
export interface AnyRunning {
  parseCommand(untrusted: unknown): any
  readonly projections: { status(name: any): unknown }
}

/** The commands of a running domain, as `parseCommand` returns them. */
export type CommandIn<Bank extends AnyRunning> = ReturnType<Bank['parseCommand']>
/** The keys of its projections. */
type ProjectionIn<Bank extends AnyRunning> = Parameters<Bank['projections']['status']>[0] & string
/** The keys of its aggregates. */
type AggregateIn<Bank> = {
  [Key in keyof Bank]: Bank[Key] extends { ids(...args: any[]): unknown } ? Key : never
}[keyof Bank] &
  string

/** What somebody asks to read. `aggregate` and `projection` are the keys that the domain gives them. */
export type ReadIn<Bank extends AnyRunning> =
  /** The state of an aggregate. The answer to a command has it too. */
  | { readonly kind: 'state'; readonly aggregate: AggregateIn<Bank>; readonly id: string }
  /** The events of an aggregate. */
  | { readonly kind: 'stream'; readonly aggregate: AggregateIn<Bank>; readonly id: string }
  /** The ids of all instances of an aggregate. */
  | { readonly kind: 'ids'; readonly aggregate: AggregateIn<Bank> }
  /** One row, by its key. */
  | { readonly kind: 'row'; readonly projection: ProjectionIn<Bank>; readonly key: string }
  /** The rows that a query finds. */
  | RowsIn<Bank, ProjectionIn<Bank>>
  /** The state of a projection that has one. */
  | { readonly kind: 'projection state'; readonly projection: ProjectionIn<Bank> }
  /** The events of the log, as far as the filters let them through. */
  | ({ readonly kind: 'log' } & EventFilters)
  /** The OpenAPI document. */
  | { readonly kind: 'document' }

/** The query of each projection, with the fields of its rows. */
type RowsIn<Bank, Key> = Key extends keyof Bank
  ? Bank[Key] extends { find(query?: infer Found): unknown }
    ? { readonly kind: 'rows'; readonly projection: Key; readonly query: NonNullable<Found> }
    : never
  : never

/** An event passes if it has one of the types, is of one of the aggregates (by name), and has all of the tags. */
export interface EventFilters {
  readonly types?: readonly string[]
  readonly aggregates?: readonly string[]
  readonly tags?: readonly string[]
}

/** Who sent a request. */
interface Sender<User> {
  /** What the option `user` returned. */
  readonly user: User
  readonly request: Request
}

export interface HttpLimits {
  /** The greatest body of a request, in bytes. 1 MiB by default. */
  readonly bodySizeMax?: number
  /** How long the body of a request may take to arrive, in milliseconds. 10,000 by default. */
  readonly bodyTimeoutMs?: number
  /** How long an answer may take, in milliseconds. 30,000 by default. Streams of events are not meant. */
  readonly timeoutMs?: number
  /** The greatest number of rows, ids or events in a page. 1,000 by default. */
  readonly pageSizeMax?: number
  /** How many streams of events may be open at once. 1,000 by default. */
  readonly streamsMax?: number
  /** How often a stream without events sends a comment, so that nobody takes it for dead. 15,000 ms by default. */
  readonly heartbeatMs?: number
  /** How long a client of a stream may take nothing before the stream ends, in milliseconds. 60,000 by default. */
  readonly slowClientMs?: number
  /**
   * How long a stream lasts, in milliseconds. Then its client connects again, and `mayRead` is asked again. 900,000 by
   * default.
   */
  readonly streamMsMax?: number
  /** How long a long poll waits for events, in milliseconds. 20,000 by default. */
  readonly longPollMs?: number
}

export interface HttpOptions<Bank extends AnyRunning, User = undefined> extends HttpLimits {
  /**
   * Who sends a request. The result is given to the other functions. A `Response` is the answer, for instance one with
   * the status 401.
   */
  readonly user?: (request: Request) => User | Response | Promise<User | Response>
  /** Whether somebody may send a command, which is valid. Only `true` lets it through. By default everybody may. */
  readonly maySend?: (asked: Sender<User> & { readonly command: CommandIn<Bank> }) => boolean | Promise<boolean>
  /** Whether somebody may read something. Only `true` lets it through. By default everybody may. */
  readonly mayRead?: (asked: Sender<User> & ReadIn<Bank>) => boolean | Promise<boolean>
  /**
   * Whether somebody sees the personal values of a subject. They are shown as `[personal]` if it does not return
   * `true`, and by default.
   */
  readonly mayReveal?: (asked: Sender<User> & { readonly subject: string }) => boolean
  /** The metadata of a command, such as who has sent it. None by default. */
  readonly metadata?: (
    asked: Sender<User> & { readonly command: CommandIn<Bank> },
  ) => Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>
  /** Whether events have their metadata when they are read. `false` by default: their metadata is empty then. */
  readonly showMetadata?: boolean
  /** The codes of rejections that are answered with the status 409 instead of 422. */
  readonly conflicts?: readonly string[]
  /** The path below which the service is mounted, such as `/api`, if nobody removes it from the URL before. */
  readonly basePath?: string
  /** Other origins whose pages may use the service, such as `https://app.example`. */
  readonly origins?: readonly string[]
  /** The host names that the service has, with ports that are not the default. By default any name is accepted. */
  readonly hosts?: readonly string[]
  /** Where the causes of answers with the status 500 go. The console by default. */
  readonly log?: Logger
}

/** The domains of many tenants, as `tenants` returns them. */
export interface Lending<Bank> {
  use<Result>(tenant: string, work: (bank: Bank) => Result | Promise<Result>): Promise<Result>
  wake(tenants: Iterable<string>): Promise<unknown>
}

export interface TenantsHttpOptions<Bank extends AnyRunning, User = undefined> extends HttpOptions<Bank, User> {
  /**
   * The tenant whose domain a request is for. Its sender is known by then. A `Response` is the answer, for instance one
   * with the status 404 for a tenant that does not exist.
   */
  readonly tenant: (asked: Sender<User>) => string | Response | Promise<string | Response>
}

/** The options with their defaults. */
export type Settings = HttpOptions<any, unknown> &
  Partial<Pick<TenantsHttpOptions<any, unknown>, 'tenant'>> &
  Required<HttpLimits> & { readonly basePath: string }

const limits = {
  bodySizeMax: 1_048_576,
  bodyTimeoutMs: 10_000,
  timeoutMs: 30_000,
  pageSizeMax: 1_000,
  streamsMax: 1_000,
  heartbeatMs: 15_000,
  slowClientMs: 60_000,
  streamMsMax: 900_000,
  longPollMs: 20_000,
} as const

const hooks = ['user', 'tenant', 'maySend', 'mayRead', 'mayReveal', 'metadata'] as const
const lists = ['conflicts', 'origins', 'hosts'] as const
const known = [...Object.keys(limits), ...hooks, ...lists, 'showMetadata', 'basePath', 'log']

/** @throws DefinitionError `OPTION_INVALID` */
export function settle(options: Partial<TenantsHttpOptions<any, any>>): Settings {
  checkKeys('http(bank, options)', options, known)
  for (const name of Object.keys(limits) as readonly (keyof HttpLimits)[]) checkWhole(name, options[name], 1)
  for (const name of hooks) checkOption(name, options[name], (found) => typeof found === 'function', 'a function')
  for (const name of lists) {
    checkOption(name, options[name], isListOfTexts, listExpected(options[name], 'strings'))
  }
  checkFlag('showMetadata', options.showMetadata)
  const isPath = (found: unknown) => typeof found === 'string' && /^(\/[\w.~-]+)*$/.test(found)
  checkOption('basePath', options.basePath, isPath, "a path such as '/api', without a slash at its end")
  const isOrigin = (found: readonly string[]) =>
    found.every((each) => URL.canParse(each) && new URL(each).origin === each)
  checkOption('origins', options.origins, isOrigin, "a list of origins such as 'https://app.example', without a path")
  const isHost = (found: readonly string[]) => found.every(isHostName)
  checkOption('hosts', options.hosts, isHost, "a list of host names such as 'bank.example' or 'localhost:3000'")
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  return Object.freeze({ basePath: '', ...limits, ...given })
}

/** Whether a URL can have it as its host, so that it is compared with what requests have. */
const isHostName = (found: string): boolean =>
  ['http:', 'https:'].some(
    (scheme) => URL.canParse(`${scheme}//${found}`) && new URL(`${scheme}//${found}`).host === found,
  )

const isListOfTexts = (found: unknown): boolean => Array.isArray(found) && found.every((one) => typeof one === 'string')
