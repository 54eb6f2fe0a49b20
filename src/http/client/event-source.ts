/** Follows server-sent events. When the stream ends or breaks, it connects again after the last event. */
import { startTimer, stopTimer } from '../../runtime/timers.ts'
import { markedType } from '../representation.ts'
import { type Connection, decoded, pause, problemIn, unknown } from './connection.ts'
import { ProblemError } from './problem-error.ts'

/** The longest pause before it connects again. */
const pauseMsMax = 5_000

/**
 * The events at an address, each once, without an end.
 *
 * @param after the id of the message behind which it begins, if there is one
 * @throws ProblemError if the service refuses, or cannot read an event; the signal's reason
 */
export async function* followed(
  connection: Connection,
  path: string,
  parameters: [string, string][],
  signal: AbortSignal | undefined,
  after: string | undefined,
): AsyncGenerator<any, void, void> {
  const left = new AbortController()
  const ended = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal])
  const query = parameters.length === 0 ? '' : `?${new URLSearchParams(parameters)}`
  let last = after
  /** How often it has connected in vain since the last event. */
  let failures = 0
  try {
    while (true) {
      const own = await connection.headers()
      const line = new Line(connection.silentMs, ended)
      try {
        const headers = last === undefined ? {} : { 'Last-Event-ID': last }
        const accept = `text/event-stream, ${markedType}`
        failures++
        const sent = { headers, signal: line.signal }
        const response = await line.heard(connection.open(`${path}${query}`, accept, own, sent))
        if (!response.ok) throw problemIn(response, await line.heard(response.text()))
        const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
        if (!isStream) throw unknown(response.status)
        for await (const { id, event, data } of messagesOf(response, line)) {
          if (data !== undefined) yield eventIn(event, data)
          last = id ?? last
          if (data !== undefined) failures = 0
        }
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof ProblemError && !error.retryable) throw error
      }
      signal?.throwIfAborted()
      await pause(Math.random() * Math.min(pauseMsMax, 50 * 2 ** failures), signal)
      signal?.throwIfAborted()
    }
  } finally {
    left.abort()
  }
}

/**
 * A connection that may have broken without a sign, as behind a router that has forgotten it: nothing comes, not even
 * the comments of a quiet stream.
 */
class Line {
  readonly signal: AbortSignal
  readonly #silentMs: number
  readonly #broken = new AbortController()

  constructor(silentMs: number, ended: AbortSignal) {
    this.#silentMs = silentMs
    this.signal = AbortSignal.any([ended, this.#broken.signal])
  }

  /** Waits for something to come. @throws Error if nothing comes for too long; what `coming` throws */
  async heard<Result>(coming: Promise<Result>): Promise<Result> {
    const silence = Promise.withResolvers<never>()
    const timer = startTimer(() => {
      silence.reject(new Error('The line is silent'))
      this.#broken.abort()
    }, this.#silentMs)
    try {
      return await Promise.race([coming, silence.promise])
    } finally {
      stopTimer(timer)
      coming.catch(() => {})
    }
  }
}

/** The event in a message. @throws ProblemError if there is a problem in its place, or it is broken */
function eventIn(event: string | undefined, data: string): unknown {
  if (event === 'problem') throw problemIn({ status: statusIn(data) }, data)
  const found = decoded(data)
  if (found === undefined) throw unknown(200)
  return found.value
}

function statusIn(problem: string): number {
  const { status } = (decoded(problem)?.value ?? {}) as { readonly status?: unknown }
  return typeof status === 'number' ? status : 500
}

interface Message {
  readonly id: string | undefined
  readonly event: string | undefined
  /** Missing in the first message, which only says where the stream begins. */
  readonly data: string | undefined
}

/** The messages of a response. A message that is cut off is left out. */
async function* messagesOf({ body }: Response, line: Line): AsyncGenerator<Message, void, void> {
  if (body === null) return
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  try {
    while (true) {
      const { done, value } = await line.heard(reader.read())
      if (done) return
      text += value
      const parts = text.split('\n\n')
      text = parts.pop()!
      for (const part of parts) {
        const message = messageIn(part)
        if (message !== undefined) yield message
      }
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}

function messageIn(part: string): Message | undefined {
  const fields = new Map<string, string>()
  for (const line of part.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''))
  }
  const message = { id: fields.get('id'), event: fields.get('event'), data: fields.get('data') }
  return message.id === undefined && message.data === undefined ? undefined : message
}
