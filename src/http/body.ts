/** Reads the body of a request as JSON, within limits of size and time. */
import { HttpError } from '../domain/error.ts'
import { startTimer, stopTimer } from '../runtime/timers.ts'

export interface BodyLimits {
  readonly bodySizeMax: number
  readonly bodyTimeoutMs: number
}

/**
 * The JSON in the body; `undefined` if it is empty.
 *
 * @throws HttpError `CONTENT_UNSUPPORTED`, `BODY_TOO_LARGE`, `BODY_TOO_SLOW`, `REQUEST_MALFORMED`
 */
export async function readJson(request: Request, limits: BodyLimits): Promise<unknown> {
  const { body, headers } = request
  checkContent(headers, body !== null)
  if (Number(headers.get('content-length') ?? 0) > limits.bodySizeMax) tooLarge(limits)
  if (body === null) return undefined
  const bytes = await readBytes(body, limits)
  if (bytes.length === 0) return undefined
  const text = textOf(bytes)
  try {
    return JSON.parse(text)
  } catch {
    return malformed('its body is not JSON')
  }
}

/** Refuses what a form of another site could send, and what would have to be decompressed first. */
function checkContent(headers: Headers, hasBody: boolean): void {
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (encoding.toLowerCase() !== 'identity') {
    throw new HttpError('CONTENT_UNSUPPORTED', { expected: 'it must not be compressed' })
  }
  const type = headers.get('content-type')
  if (type === null && !hasBody) return
  const isJson = /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type ?? '')
  if (!isJson) throw new HttpError('CONTENT_UNSUPPORTED', { expected: 'it must be application/json in UTF-8' })
}

async function readBytes(body: ReadableStream<Uint8Array>, limits: BodyLimits): Promise<Uint8Array> {
  const reader = body.getReader()
  const { promise: late, reject } = Promise.withResolvers<never>()
  late.catch(() => {})
  const timeoutMs = limits.bodyTimeoutMs
  const timer = startTimer(() => reject(new HttpError('BODY_TOO_SLOW', { timeoutMs })), timeoutMs)
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    while (true) {
      const { done, value } = await Promise.race([reader.read(), late])
      if (done) return joined(chunks, size)
      size += value.length
      if (size > limits.bodySizeMax) tooLarge(limits)
      chunks.push(value)
    }
  } catch (error) {
    // Nobody reads the rest.
    reader.cancel().catch(() => {})
    throw error instanceof HttpError ? error : new HttpError('REQUEST_MALFORMED', { reason: 'its body breaks off' })
  } finally {
    stopTimer(timer)
  }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return malformed('its body is not UTF-8')
  }
}

function tooLarge({ bodySizeMax }: BodyLimits): never {
  throw new HttpError('BODY_TOO_LARGE', { sizeMax: bodySizeMax })
}

/** @throws HttpError `REQUEST_MALFORMED` */
export function malformed(reason: string): never {
  throw new HttpError('REQUEST_MALFORMED', { reason })
}
