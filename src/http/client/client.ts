/**
 * A client with the types of a domain. It needs `fetch` and nothing else, so it works in browsers, and it takes only
 * the type of the domain: none of its code gets into the page.
 */
import { CommandRejected } from '../../domain/command-rejected.ts'
import { decode, encode } from '../../domain/encoding.ts'
import type { Json } from '../../domain/json.ts'
import type { Accepted, Outcome } from '../../domain/outcome.ts'
import { type AnyRejection, Rejection } from '../../domain/rejection.ts'
import type { StreamPlace } from '../../projection/log/stream-subscription.ts'
import { segmentOf } from '../path.ts'
import { idInLog, idInStream } from '../place-id.ts'
import { rejectionPrefix } from '../problem-types.ts'
import { type ClientOptions, Connection } from './connection.ts'
import { followed } from './event-source.ts'
import type { Client, RemoteCommandOptions, RemoteEventsOptions, RemoteLogOptions, RemoteWaitOptions } from './types.ts'

/**
 * A domain behind HTTP.
 *
 *     const bank = client<typeof Bank>('https://bank.example/api')
 *     const { state, position } = await bank.account('ada').deposit({ amount: 100 })
 *     const row = await bank.balances.get('ada', { atLeast: position })
 *
 * Commands throw CommandRejected on a business "no", as those of a handle do. Everything else that fails is a
 * ProblemError, with the code of the service.
 */
export function client<D>(url: string, options: ClientOptions = {}): Client<D> {
  const connection = new Connection(url, options)
  const parts = new Map<string, object>()
  const events = ({ signal, from, after, ...filters }: RemoteLogOptions<string> = {}) => {
    const lists = Object.entries(filters).flatMap(([name, values]) =>
      values.map((value): [string, string] => [name, value]),
    )
    const last = lastId(from, after, idInLog)
    return followed(connection, '/events', [...parametersOf({ from }), ...lists], signal, last)
  }
  return proxy((name) => {
    if (name === 'events') return events
    if (!parts.has(name)) parts.set(name, partOf(connection, name))
    return parts.get(name)
  }) as Client<D>
}

/** What is under a name of the domain: an aggregate or a projection. Only the service knows which. */
function partOf(connection: Connection, name: string): object {
  const aggregate = `/aggregates/${segmentOf(name)}`
  const projection = `/projections/${segmentOf(name)}`
  return Object.assign((id: string) => handle(connection, `${aggregate}/${segmentOf(id)}`, { aggregate: name, id }), {
    ids: ({ signal, ...page }: { signal?: AbortSignal } = {}) =>
      connection.read(`${aggregate}${queryOf(parametersOf(page))}`, { signal, expects: hasList('ids') }),
    state: (wait: RemoteWaitOptions = {}) => connection.read(projection, waiting(wait)),
    async get(key: string, wait: RemoteWaitOptions = {}) {
      const found = await connection.ask(`${projection}/${segmentOf(key)}`, waiting(wait))
      if ('value' in found) return found.value
      if (found.problem.code === 'ROW_UNKNOWN') return undefined
      throw found.problem
    },
    count: async ({ where, or }: any = {}, wait: RemoteWaitOptions = {}) => {
      const written = queryOf(jsonParameters({ where, or }))
      const expects = (value: any) => Number.isSafeInteger(value?.count)
      const { count } = await connection.read(`/counts/${segmentOf(name)}${written}`, { ...waiting(wait), expects })
      return count
    },
    async find({ where, or, orderBy, limit, after }: any = {}, wait: RemoteWaitOptions = {}) {
      const written = [...jsonParameters({ where, or, orderBy }), ...parametersOf({ limit, after })]
      return connection.read(`${projection}${queryOf(written)}`, { ...waiting(wait), expects: hasList('rows') })
    },
  })
}

type Stream = { readonly aggregate: string; readonly id: string }

function handle(connection: Connection, path: string, stream: Stream): object {
  const read = ({ signal, sequence, time }: any = {}) =>
    connection.read(`${path}${queryOf(parametersOf({ sequence, time: time?.toISOString() }))}`, {
      signal,
      expects: hasSequence,
    })
  const attempts = proxy(
    (name) => (data: unknown, options?: RemoteCommandOptions) => send(connection, path, name, data, options),
  )
  const methods: Readonly<Record<string, unknown>> = {
    id: stream.id,
    try: attempts,
    read,
    state: async (at?: object) => (await read(at)).state,
    history: (options: object = {}) => history(connection, path, options),
    events: ({ signal, from, after }: RemoteEventsOptions<StreamPlace> = {}) =>
      followed(connection, `${path}/events`, parametersOf({ from }), signal, lastId(from, after, idInStream)),
  }
  return proxy((name) => {
    if (Object.hasOwn(methods, name)) return methods[name]
    return async (data: unknown, options?: RemoteCommandOptions): Promise<Accepted<unknown, unknown>> => {
      const outcome = await send(connection, path, name, data, options)
      if (outcome.accepted) return outcome
      throw new CommandRejected(name, stream, outcome.rejection as AnyRejection)
    }
  })
}

/** The id of the message of an event that was handled. */
function lastId<Place>(from: unknown, after: Place | undefined, idOf: (place: Place) => string): string | undefined {
  if (from !== undefined && after !== undefined)
    throw new TypeError('Events begin with from or after: give one of them')
  return after && idOf(after)
}

/** Sends a command. It gets an id if it has none, so that it can be sent again. */
async function send(
  connection: Connection,
  path: string,
  name: string,
  data: unknown,
  { commandId = newId(), expectedSequence, signal }: RemoteCommandOptions = {},
): Promise<Outcome> {
  const found = await connection.ask(`${path}/${segmentOf(name)}`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'Idempotency-Key': quoted(commandId),
      ...(expectedSequence !== undefined && { 'If-Match': `"${expectedSequence}"` }),
    },
    ...(data !== undefined && { body: JSON.stringify(data) }),
    signal,
    commandId,
    expects: hasSequence,
  })
  if ('value' in found) return { accepted: true, ...(found.value as Omit<Accepted<unknown, unknown>, 'accepted'>) }
  const { code, details, type } = found.problem.problem
  if (typeof type !== 'string' || !type.startsWith(rejectionPrefix)) throw found.problem
  return { accepted: false, rejection: new Rejection(String(code), decode((details ?? null) as Json) ?? undefined) }
}

async function* history(connection: Connection, path: string, options: any): AsyncGenerator<unknown, void, void> {
  const { signal, limit = Number.POSITIVE_INFINITY, from, to, direction } = options
  let left = limit
  let range = { from, to }
  while (left > 0) {
    const page = parametersOf({ ...range, direction, limit: Math.min(left, 100) })
    const expects = hasList('events')
    const { events, next } = await connection.read(`${path}/events${queryOf(page)}`, { signal, expects })
    yield* events
    left -= events.length
    if (next === undefined || events.length === 0) return
    range = { ...range, ...next }
  }
}

/** An object that makes its members when they are asked for. It is no promise, and has nothing of other objects. */
function proxy(memberOf: (name: string) => unknown): object {
  const made = new Map<string, unknown>()
  return new Proxy(Object.freeze({}), {
    get(_, name) {
      if (typeof name !== 'string' || name === 'then' || name === 'toJSON' || name in Object.prototype) return undefined
      if (!made.has(name)) made.set(name, memberOf(name))
      return made.get(name)
    },
  })
}

const hasSequence = (value: any): boolean => Number.isSafeInteger(value?.sequence)
const hasList =
  (name: string) =>
  (value: any): boolean =>
    Array.isArray(value?.[name])

const waiting = ({ atLeast, signal }: RemoteWaitOptions): object => ({
  ...(atLeast !== undefined && { headers: { 'Mneme-Position': String(atLeast) } }),
  signal,
})

/** Parameters of a query that have a value. */
const parametersOf = (values: Readonly<Record<string, unknown>>): [string, string][] =>
  Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))

const jsonParameters = (values: Readonly<Record<string, unknown>>): [string, string][] =>
  parametersOf(values).map(([name]) => [name, JSON.stringify(encode('The query', values[name]))])

const queryOf = (parameters: [string, string][]): string =>
  parameters.length === 0 ? '' : `?${new URLSearchParams(parameters)}`

/** The id of a command as a header, in which other characters cannot be. */
function quoted(id: string): string {
  if (/^[\x20-\x7e]+$/.test(id)) return `"${id.replaceAll(/["\\]/g, '\\$&')}"`
  throw new TypeError('Over HTTP, the id of a command has only printable ASCII characters')
}

/** A random id. `crypto.randomUUID` is missing on pages without TLS. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
