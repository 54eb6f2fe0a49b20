/**
 * Requests of a client: sent again if the service did not answer or asks for that, which is safe because each command
 * has an id. Answers come with marks, so dates, maps and bigints are what they were.
 */
import { decode } from '../../domain/encoding.ts'
import type { Json } from '../../domain/json.ts'
import { startTimer, stopTimer } from '../../runtime/timers.ts'
import { markedType } from '../representation.ts'
import { ProblemError } from './problem-error.ts'

export interface ClientOptions {
  /** Headers for each request, such as `Authorization`. */
  readonly headers?: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>
  /** How often a request is sent at most, while the service cannot be reached or asks for another try. 3 by default. */
  readonly triesMax?: number
  /**
   * How long a stream of events may bring nothing, in milliseconds. Then the line counts as broken, and the client
   * connects again. 60,000 by default. The service sends a comment every 15 seconds (its `heartbeatMs`).
   */
  readonly silentMs?: number
  /** Sends a request. The platform's `fetch` by default. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

interface Sent {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal | undefined
  /** The id of the command, if it is one. */
  readonly commandId?: string
  /** Whether a value can be the answer. */
  readonly expects?: (value: any) => boolean
}

/** The longest pause between two tries. */
const pauseMsMax = 2_000

export class Connection {
  readonly #url: string
  readonly #options: ClientOptions
  readonly silentMs: number

  constructor(url: string, options: ClientOptions) {
    const { triesMax = 1, silentMs = 60_000 } = options
    for (const [name, value] of Object.entries({ triesMax, silentMs })) {
      if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`${name} must be a whole number from 1`)
    }
    if (options.fetch === undefined && !canBeAsked(url)) {
      throw new TypeError(`The url of a service must be one such as https://bank.example/api, not ${url}`)
    }
    this.#url = url.replace(/\/+$/, '')
    this.#options = options
    this.silentMs = silentMs
  }

  /** The headers that the program gives a request. An error of the program is told to it, and not tried again. */
  async headers(): Promise<Readonly<Record<string, string>>> {
    return (await this.#options.headers?.()) ?? {}
  }

  /** The answer to a request, decoded; a problem if there is one. @throws ProblemError; the signal's reason */
  async ask(path: string, sent: Sent = {}): Promise<{ readonly value: unknown } | { readonly problem: ProblemError }> {
    const triesMax = this.#options.triesMax ?? 3
    for (let tries = 1; ; tries++) {
      const found = await this.#once(path, sent)
      if ('value' in found || !found.problem.retryable || tries >= triesMax) return found
      await pause(Math.random() * Math.min(pauseMsMax, 100 * 2 ** tries), sent.signal)
      sent.signal?.throwIfAborted()
    }
  }

  /** The same for reads, where a problem is thrown. */
  async read(path: string, sent: Sent = {}): Promise<any> {
    const found = await this.ask(path, sent)
    if ('problem' in found) throw found.problem
    return found.value
  }

  async #once(path: string, sent: Sent): ReturnType<Connection['ask']> {
    const { commandId } = sent
    const own = await this.headers()
    let response: Response
    let text: string
    try {
      response = await this.open(path, markedType, own, sent)
      text = await response.text()
    } catch (error) {
      sent.signal?.throwIfAborted()
      return { problem: unreachable(commandId, error) }
    }
    if (!response.ok) return { problem: problemIn(response, text, commandId) }
    const isMarked = response.headers.get('content-type')?.startsWith(markedType) === true
    const found = isMarked ? decoded(text) : undefined
    const isGood = found !== undefined && sent.expects?.(found.value) !== false
    return isGood ? found : { problem: unknown(response.status, commandId) }
  }

  /** Sends a request, once. @param own the headers of the program */
  async open(
    path: string,
    accept: string,
    own: Readonly<Record<string, string>>,
    { method, headers, body, signal }: Sent,
  ): Promise<Response> {
    const send = this.#options.fetch ?? fetch
    return send(`${this.#url}${path}`, {
      ...(method !== undefined && { method }),
      ...(body !== undefined && { body }),
      headers: { ...own, Accept: accept, ...headers },
      ...(signal !== undefined && { signal }),
    })
  }
}

/** Whether the platform can send requests to an address. On a page it may be relative to that of the page. */
function canBeAsked(url: string): boolean {
  const { location } = globalThis as { readonly location?: { readonly href: string } }
  const base = location?.href
  return URL.canParse(url, base) && /^https?:$/.test(new URL(url, base).protocol)
}

const unreachable = (commandId: string | undefined, cause: unknown): ProblemError =>
  new ProblemError({ code: 'UNREACHABLE', status: 0, retryable: true, title: 'No answer' }, commandId, cause)

/** The value in an answer; nothing if it is broken. */
export function decoded(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: decode(JSON.parse(text)) }
  } catch {
    return undefined
  }
}

/** Waits for some milliseconds, or until the signal is aborted. */
export async function pause(forMs: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const end = () => resolve()
  const timer = startTimer(end, forMs)
  if (signal?.aborted === true) end()
  signal?.addEventListener('abort', end, { once: true })
  await promise
  stopTimer(timer)
  signal?.removeEventListener('abort', end)
}

export const unknown = (status: number, commandId?: string): ProblemError => {
  const retryable = status === 502 || status === 503 || status === 504
  return new ProblemError({ code: 'ANSWER_UNKNOWN', status, retryable, title: 'Another answer' }, commandId)
}

/** The problem of an answer. What a proxy answers is none. */
export function problemIn({ status }: { readonly status: number }, text: string, commandId?: string): ProblemError {
  try {
    const problem = JSON.parse(text) as Readonly<Record<string, Json>>
    if (typeof problem['code'] === 'string') return new ProblemError({ ...problem, status }, commandId)
  } catch {
    // Not JSON.
  }
  return unknown(status, commandId)
}
