/**
 * The operations of the OpenAPI document that follow events: server-sent events, and reads by the Durable Streams
 * protocol.
 */
import type { Aggregates } from '../../application/running.ts'
import type { Fold } from '../../domain/aggregate.ts'
import { eventStreamType } from '../event-stream.ts'
import { plainType } from '../representation.ts'
import {
  eventSchema,
  header,
  id,
  type Operation,
  operation,
  type Problems,
  query,
  readProblems,
  sequence,
} from './parts.ts'

const whole = '(0|[1-9][0-9]{0,14})'
const lastEventId = (schema: object) =>
  header('Last-Event-ID', 'The id of the last message: the stream continues behind it, wherever from is.', schema)
const texts = { type: 'array', minItems: 1, items: id.schema }
const gone: Problems = { ...readProblems, 410: 'The log does not have the place that was asked for.' }

/** Server-sent events. As tools understand it, the schema is that of each message. */
const messagesOf = (description: string, properties: object, required: readonly string[]) => ({
  [eventStreamType]: { schema: { type: 'object', description, required, properties } },
})

/** A text that is JSON. */
const jsonText = (contentSchema: object) => ({ type: 'string', contentMediaType: plainType, contentSchema })

const checksum = {
  ...sequence,
  description: 'Shows, with the position, whether the log is still the one that the event was read from.',
}

const followed = (event: object) =>
  messagesOf(
    'A message is an event. One of the type problem is the last one, and its data is a problem. The stream ends after ' +
      'some time; who connects again with Last-Event-ID misses nothing.',
    {
      id: { type: 'string', description: 'The place of the event.' },
      event: { enum: ['message', 'problem'] },
      data: jsonText({ allOf: [event, { required: ['checksum'], properties: { checksum } }] }),
    },
    [],
  )

/** `GET /events`: the log as server-sent events. */
export function eventPaths(aggregates: Aggregates): Readonly<Record<string, { readonly get: Operation }>> {
  const from = { anyOf: [sequence, { const: 'now' }], description: 'A position, 1 by default, or the end of the log.' }
  const parameters = [
    query('from', from),
    query('types', { ...texts, description: 'Only events of these types.' }),
    query('aggregates', { ...texts, description: 'Only events of the aggregates with these names.' }),
    query('tags', { ...texts, description: 'Only events that have all of these tags.' }),
    lastEventId({ type: 'string', pattern: `^(${whole}(-${whole})?)?$` }),
  ]
  const get = operation('follow the log', {}, parameters, gone)
  const content = followed(anyOf(Object.values(aggregates).flatMap(({ folds }) => [...folds.values()])))
  return { '/events': { get: { ...get, responses: { ...get.responses, 200: { ...ok, content } } } } }
}

const ok = { description: 'The answer.' }

/** The schema of the events of some kinds. */
const anyOf = (folds: readonly Fold[]): object => (folds.length === 0 ? {} : { anyOf: folds.map(eventSchema) })

/** The operation also answers with a stream of events, to those who accept one. */
export function followable(one: Operation, event: object): Operation {
  const { 200: found, ...others } = one.responses
  const content = { ...found!.content, ...followed(event) }
  const responses = { ...others, 200: { ...found, content }, 410: operation('', {}, [], gone).responses['410']! }
  // Where it is not a stream that is asked for, nobody looks at it.
  const last = lastEventId({ type: 'string' })
  return { ...one, parameters: [...one.parameters, last], responses }
}

// -- Durable Streams ---------------------------------------------------------------------------------------------

const offset = '(-1|now|0[0-9]{15}_[0-9a-f]{1,13})'
const streamHeaders = {
  'Stream-Next-Offset': { description: 'The offset behind the messages.', schema: { type: 'string' } },
  'Stream-Up-To-Date': { description: 'There, and true, if there was no more.', schema: { const: 'true' } },
  'Stream-Cursor': { description: 'Of a long poll: the cursor of the next one.', schema: { type: 'string' } },
  ETag: { description: 'Of these messages, for If-None-Match.', schema: { type: 'string' } },
}
const streamParameters = [
  query('offset', {
    type: 'string',
    pattern: `^${offset}$`,
    description: 'An offset that an answer had, -1 for the beginning (as without it), or now for the end.',
  }),
  query('live', {
    enum: ['long-poll', 'sse'],
    description: 'Waits for messages behind the offset, which is needed then.',
  }),
  query('cursor', { type: 'string', description: 'The Stream-Cursor of the last answer.' }),
  header('If-None-Match', 'The ETag of an answer with the same offset.', { type: 'string' }),
]

/** `GET /streams` and `GET /streams/account/{id}`: the log and the streams of each aggregate. */
export function streamPaths(aggregates: Aggregates): Readonly<Record<string, { readonly get: Operation }>> {
  const all = Object.entries(aggregates)
  const ofOne = all.map(([key, { folds }]) => [
    `/streams/${encodeURIComponent(key)}/{id}`,
    { get: streamed(`${key} stream`, [...folds.values()], [id], { ...gone, 404: 'There is no such stream.' }) },
  ])
  return {
    '/streams': {
      get: streamed(
        'read the log',
        all.flatMap(([, { folds }]) => [...folds.values()]),
        [],
        gone,
      ),
    },
    ...Object.fromEntries(ofOne),
  }
}

function streamed(name: string, folds: readonly Fold[], parameters: readonly object[], problems: Problems): Operation {
  const list = { type: 'array', items: anyOf(folds) }
  const get = operation(name, {}, [...parameters, ...streamParameters], problems)
  const content = {
    [plainType]: { schema: list },
    ...messagesOf(
      'With live=sse. The data of a message of the type data is a list of events. After it comes one of the type ' +
        'control, which says with which offset and cursor to continue, and whether there was no more.',
      { event: { enum: ['data', 'control'] }, data: jsonText({ anyOf: [list, controlSchema] }) },
      ['event', 'data'],
    ),
  }
  return {
    ...get,
    description: 'A read by the Durable Streams protocol. Each event is a message.',
    responses: {
      ...get.responses,
      200: { ...ok, headers: streamHeaders, content },
      204: { description: 'The time of a long poll is over, and nothing has come.', headers: streamHeaders },
      304: { description: 'The client has these messages.', headers: streamHeaders },
    },
  }
}

const controlSchema = {
  type: 'object',
  required: ['streamNextOffset', 'streamCursor'],
  properties: {
    streamNextOffset: { type: 'string' },
    streamCursor: { type: 'string' },
    upToDate: { type: 'boolean' },
  },
}
