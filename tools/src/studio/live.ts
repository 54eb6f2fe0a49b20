/** New events as they are stored, by server-sent events. */
import type { ServerResponse } from 'node:http'
import { follow } from '../../../src/index.ts'
import type { Inspection } from '../inspection/index.ts'
import { eventView } from './event-view.ts'
import { filtersOf, whole } from './routes.ts'

/** How often a line is sent that means nothing, so that a connection that is gone is noticed. */
const beatMs = 15_000

/** Sends events from a position on until the reader is gone or the studio ends. A slow reader is waited for. */
export async function sendLive(
  inspection: Inspection,
  query: URLSearchParams,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { types, aggregates, tags } = filtersOf(query)
  const from = whole(query, 'from', 1)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
  const beat = setInterval(() => response.write(':\n\n'), beatMs)
  try {
    const filters = { ...(types && { types }), ...(aggregates && { aggregates }), ...(tags && { tags }) }
    for await (const event of follow(inspection.store, { from, ...filters, signal })) {
      const text = `id: ${event.position}\ndata: ${JSON.stringify(eventView(inspection, event))}\n\n`
      if (!response.write(text)) await drained(response, signal)
    }
  } finally {
    clearInterval(beat)
    response.end()
  }
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
