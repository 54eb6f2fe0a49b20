/** Sends requests to a service without a network. */
import assert from 'node:assert/strict'
import { problemType } from '../../../src/http/problem.ts'

/** What `http(bank)` returns. */
export type Handle = (request: Request) => Promise<Response>

const origin = 'http://bank.example'

/** What came back. */
export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly body: any
}

/** Functions that send requests to a service, and parse the answers. */
export function requests(handle: Handle): {
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Answered>
  readonly post: (path: string, data?: unknown, headers?: Record<string, string>) => Promise<Answered>
  readonly send: (path: string, init: RequestInit) => Promise<Answered>
} {
  const send = async (path: string, init: RequestInit): Promise<Answered> => {
    const response = await handle(new Request(`${origin}${path}`, { duplex: 'half', ...init } as RequestInit))
    const text = await response.text()
    const { status, headers } = response
    return { status, headers, body: text === '' ? undefined : JSON.parse(text) }
  }
  return {
    send,
    get: (path, headers = {}) => send(path, { headers }),
    post: (path, data, headers = {}) =>
      send(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: data === undefined ? null : JSON.stringify(data),
      }),
  }
}

/** Asserts that an answer is a problem with this status and code, with nothing in it that is not the client's. */
export function assertProblem({ status, headers, body }: Answered, expected: number, code: string): void {
  assert.deepEqual([status, body?.code], [expected, code])
  assert.equal(headers.get('content-type'), problemType)
  assert.equal(body.status, expected)
  assert.match(body.type, /^urn:mneme:(error|rejection):/)
  assert.doesNotMatch(JSON.stringify(body), /\.ts|\bat \w+ \(|node_modules|stack/)
}
