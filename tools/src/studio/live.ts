/** New events as they are stored, by server-sent events. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { follow } from '../../../src/index.ts'
import type { Inspection } from '../inspection/index.ts'
import { briefEventView } from './event-view.ts'
import { filtersOf, whole } from './question.ts'

/** How often a line is sent that means nothing, so that a connection that is gone is noticed. */
const beatMs = 15_000

export interface LiveQuestion {
  readonly query: URLSearchParams
  /** What a browser sends that has lost its connection: the position of the last event that it got. */
  readonly lastEventId: string | string[] | undefined
  /** Whether only the headers of the answer are wanted. */
  readonly isHead: boolean
}

/** Sends events from a position on until the reader is gone or the studio ends. A slow reader is waited for. */
export async function sendLive(
  inspection: Inspection,
  { query, lastEventId, isHead }: LiveQuestion,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { types, aggregates, tags } = filtersOf(query)
  const last = new URLSearchParams({ 'Last-Event-ID': String(lastEventId ?? '') })
  const from = Math.max(whole(query, 'from', 1), whole(last, 'Last-Event-ID', 0, Number.MAX_SAFE_INTEGER - 1) + 1)
  const filters = { ...(types && { types }), ...(aggregates && { aggregates }), ...(tags && { tags }) }
  // A reader whose place is not in the log, or whose filters cannot be, learns it by the status.
  const behind = { position: Math.max(0, from - 1) }
  await inspection.store.readAll({ from, to: Number.POSITIVE_INFINITY }, { ...filters, behind, limit: 1, signal })
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  if (isHead) return void response.end()
  response.flushHeaders()
  const beat = setInterval(() => response.write(':\n\n'), beatMs)
  try {
    for await (const event of follow(inspection.store, { from, ...filters, signal })) {
      const text = `id: ${event.position}\ndata: ${JSON.stringify(briefEventView(inspection, event))}\n\n`
      if (!response.write(text)) await once(response, 'drain', { signal })
    }
  } finally {
    clearInterval(beat)
    response.end()
  }
}
