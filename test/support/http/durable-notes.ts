/**
 * A service of Durable Streams for the conformance suite of the protocol. The suite creates and appends; that part is
 * made here of commands of a domain. What is read goes the way that the service's own streams go.
 */
import { z } from 'zod'
import { insideOf } from '../../../src/application/inside.ts'
import { HttpError } from '../../../src/domain/error.ts'
import { readDurable } from '../../../src/http/durable-streams/protocol.ts'
import { streamSource } from '../../../src/http/durable-streams/source.ts'
import { failed, type Service } from '../../../src/http/exchange.ts'
import { settle } from '../../../src/http/options.ts'
import { aggregate, domain, event, reject } from '../../../src/index.ts'

const Created = event('Created', z.object({ contentType: z.string() }))
const Appended = event('Appended', z.object({ text: z.string() }))

const Note = aggregate('note', () => ({ contentType: '' }))
  .on(Created, (_, { contentType }) => ({ contentType }))
  .on(Appended)
  .command('create', z.object({ contentType: z.string(), texts: z.array(z.string()) }), (state, input) =>
    state.contentType === ''
      ? [Created({ contentType: input.contentType }), ...input.texts.map((text) => Appended({ text }))]
      : reject(state.contentType === input.contentType ? 'Known' : 'Different'),
  )
  .command('append', z.object({ contentType: z.string(), texts: z.array(z.string()) }), (state, input) => {
    if (state.contentType === '') return reject('Unknown')
    return state.contentType === input.contentType ? input.texts.map((text) => Appended({ text })) : reject('Different')
  })

const Notes = domain({ aggregates: { note: Note } })
const statuses: Readonly<Record<string, number>> = { Known: 200, Different: 409, Unknown: 404 }

/** The service, and what stops it. */
export async function durableNotes(): Promise<{
  readonly handle: (request: Request) => Promise<Response>
  readonly stop: () => Promise<void>
}> {
  const notes = await Notes.start()
  const settings = settle({ longPollMs: 1_000 })
  const service: Service = { bank: notes, inside: insideOf(notes), settings, streams: { open: 0 }, report() {} }

  const sourceOf = async (id: string) => {
    const { contentType } = await notes.note(id).state()
    return streamSource(
      { aggregate: 'note', id },
      {
        store: service.inside.store,
        contentType: contentType === '' ? 'text/plain' : contentType,
        messageOf: ({ type, data }) => (type === 'Appended' ? (data as { text: string }).text : undefined),
        subscribe: ({ at }, signal) => notes.note(id).events({ from: at + 1, pageSize: 1, signal }),
        limit: settings.pageSizeMax,
      },
    )
  }

  async function write(request: Request, id: string): Promise<Response> {
    const isNew = request.method === 'PUT'
    const contentType = (request.headers.get('content-type') ?? 'text/plain').split(';')[0]!.trim().toLowerCase()
    const texts = textsOf(contentType, await request.text(), isNew)
    if (texts === undefined) return new Response(null, { status: 400 })
    const outcome = await notes.note(id).try[isNew ? 'create' : 'append']({ contentType, texts })
    const status = outcome.accepted ? (isNew ? 201 : 204) : statuses[outcome.rejection.code]!
    const head = await readDurable(service, new Request(request.url, { method: 'HEAD' }), await sourceOf(id))
    return new Response(null, { status, headers: { ...Object.fromEntries(head.headers), Location: request.url } })
  }

  async function handle(request: Request): Promise<Response> {
    const id = new URL(request.url).pathname
    try {
      if (request.method === 'PUT' || request.method === 'POST') return secured(await write(request, id))
      if (request.method !== 'GET' && request.method !== 'HEAD') throw new HttpError('ROUTE_UNKNOWN', { what: 'route' })
      return secured(await readDurable(service, request, await sourceOf(id)))
    } catch (error) {
      return secured(failed(error))
    }
  }
  return { handle, stop: () => notes.stop() }
}

/** The headers that `http` gives each answer. */
function secured({ body, status, headers }: Response): Response {
  const all = new Headers(headers)
  all.set('X-Content-Type-Options', 'nosniff')
  all.set('Cross-Origin-Resource-Policy', 'cross-origin')
  return new Response(body, { status, headers: all })
}

/** The messages in a body; nothing if there is something wrong with it. */
function textsOf(contentType: string, body: string, isNew: boolean): string[] | undefined {
  if (body === '') return isNew ? [] : undefined
  if (contentType !== 'application/json') return [body]
  try {
    const json: unknown = JSON.parse(body)
    const items = Array.isArray(json) ? json : [json]
    return items.length === 0 && !isNew ? undefined : items.map((item) => JSON.stringify(item))
  } catch {
    return undefined
  }
}
