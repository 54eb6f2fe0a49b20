/**
 * The studio: a server on this machine that shows a log in a browser. It only reads, unless it was started to write. It
 * is for the person who has started it (`guard.ts`), and is refused where `NODE_ENV` says that this is production.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MnemeError } from '../../../src/index.ts'
import { ToolsError, wordsOf } from '../errors.ts'
import type { Inspection } from '../inspection/index.ts'
import { type Guard, guard, safeHeaders } from './guard.ts'
import { sendLive } from './live.ts'
import { Managing } from './managing.ts'
import { type PageFile, pageFiles } from './page-files.ts'
import { bodyOf, postsOf } from './posts.ts'
import { type Modes, routesOf } from './routes.ts'
import type { ErrorView } from './views.ts'

export interface StudioOptions extends Modes {
  /** 4611 by default; 0 for any that is free. */
  readonly port?: number
  /** Whether it may run where `NODE_ENV` is `production`. */
  readonly isAllowedInProduction?: boolean
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** The token, if it is not made here: a studio that is started again keeps it. */
  readonly token?: string
  /** Where the files of the page are, if not beside the program. */
  readonly page?: URL
}

export interface Studio extends AsyncDisposable {
  /** The address to open, with the token. */
  readonly address: string
  close(): Promise<void>
}

const portDefault = 4611

/** How long answers may go on when the studio ends. */
const closeMs = 200

const readOnly = 'The studio only reads. Start it with --write to send commands and manage projections and reactions'

/** How many readers may wait for new events. */
const liveMax = 20

/**
 * Starts the studio.
 *
 * @throws ToolsError `STUDIO_UNFIT` in production, without its page, or if the port is taken
 */
export async function startStudio(inspection: Inspection, options: StudioOptions = {}): Promise<Studio> {
  const { port: wanted = portDefault, isAllowedInProduction = false, environment = process.env } = options
  if (environment['NODE_ENV'] === 'production' && !isAllowedInProduction) {
    const advice = 'It shows all data of the log. If that is what you want, give --allow-production'
    throw new ToolsError('STUDIO_UNFIT', 'NODE_ENV is production', { advice })
  }
  const files = await pageFiles(options.page)
  const { token = randomBytes(24).toString('base64url') } = options
  const server = createServer()
  await listen(server, wanted)
  const { port } = server.address() as AddressInfo
  const ending = new AbortController()
  const answer = answering({ inspection, files, options, guard: guard(token, port), ended: ending.signal })
  server.on('request', answer)
  const close = async () => {
    ending.abort()
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    // What is being sent may end, but nobody who reads slowly holds it up.
    const late = setTimeout(() => server.closeAllConnections(), closeMs)
    setImmediate(() => server.closeIdleConnections())
    await closed
    clearTimeout(late)
  }
  return { address: `http://127.0.0.1:${port}/?token=${token}`, close, [Symbol.asyncDispose]: close }
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (cause) {
    const reason = wordsOf(cause)
    const advice = 'Give another one with --port, or --port 0 for any that is free'
    throw new ToolsError('STUDIO_UNFIT', `Port ${port} cannot be used: ${reason}`, { advice, cause })
  }
}

interface Parts {
  readonly inspection: Inspection
  readonly files: ReadonlyMap<string, PageFile>
  readonly guard: Guard
  readonly options: Modes
  /** Is aborted when the studio ends. */
  readonly ended: AbortSignal
}

function answering({
  inspection,
  files,
  guard,
  options,
  ended,
}: Parts): (request: IncomingMessage, response: ServerResponse) => void {
  const managing = new Managing(inspection)
  const routes = routesOf(inspection, options, managing)
  const posts = postsOf(inspection, managing)
  let live = 0
  const handle = async (request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> => {
    const { method = 'GET', headers, url: path = '' } = request
    // Otherwise it is a request to a proxy. Only the path counts, so nothing in it may pass for a host.
    if (!path.startsWith('/')) return sendError(response, 400, 'NOT_FOUND', 'There is nothing here')
    const url = new URL(`http://studio${path}`)
    const file = method === 'POST' ? undefined : files.get(url.pathname)
    const refusal = guard.refusal({ method, headers }) ?? (file === undefined ? guard.stranger({ headers }) : undefined)
    if (refusal !== undefined) return sendError(response, refusal.status, refusal.code, refusal.message)
    if (file !== undefined) {
      response.writeHead(200, { 'content-type': file.type }).end(file.body)
      return
    }
    if (method === 'POST') {
      const post = posts.get(url.pathname)
      if (post === undefined) return sendError(response, 405, 'METHOD_REFUSED', 'Nothing can be sent here')
      if (post.writes && options.isWritable !== true) return sendError(response, 403, 'WRITE_REFUSED', readOnly)
      return sendJson(response, 200, await post.answer(await bodyOf(request), signal))
    }
    if (url.pathname === '/api/live') {
      if (live >= liveMax) return sendError(response, 429, 'TOO_MANY', 'Too many pages wait for new events')
      const question = { query: url.searchParams, lastEventId: headers['last-event-id'], isHead: method === 'HEAD' }
      live++
      return sendLive(inspection, question, response, signal).finally(() => live--)
    }
    const route = routes.get(url.pathname)
    if (route === undefined) return sendError(response, 404, 'NOT_FOUND', 'There is nothing here')
    sendJson(response, 200, await route(url.searchParams, signal))
  }
  return (request, response) => {
    for (const [name, value] of Object.entries(safeHeaders)) response.setHeader(name, value)
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    handle(request, response, AbortSignal.any([gone.signal, ended])).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else tell(response, error)
    })
  }
}

function tell(response: ServerResponse, error: unknown): void {
  const message = wordsOf(error)
  if (error instanceof ToolsError) sendError(response, error.kind === 'usage' ? 400 : 500, error.code, message)
  else sendError(response, 500, error instanceof MnemeError ? error.code : 'UNEXPECTED', message)
}

const sendError = (response: ServerResponse, status: number, code: string, message: string): void =>
  sendJson(response, status, { error: { code, message } } satisfies ErrorView)

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body))
}
