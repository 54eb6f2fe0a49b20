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
  const type = headers.get('content-type')
  checkContent(headers, type)
  if (Number(headers.get('content-length') ?? 0) > limits.bodySizeMax) tooLarge(limits)
  if (body === null) return undefined
  const bytes = await readBytes(body, limits)
  if (bytes.length === 0) return undefined
  if (type === null) refuseType()
  const text = textOf(bytes)
  try {
    return JSON.parse(text)
  } catch {
    return malformed('its body is not JSON')
  }
}

/** Refuses what a form of another site could send, and what would have to be decompressed first. */
function checkContent(headers: Headers, type: string | null): void {
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (encoding.toLowerCase() !== 'identity') {
    throw new HttpError('CONTENT_UNSUPPORTED', { expected: 'it must not be compressed' })
  }
  // Without a type there must be no body, which is seen when it is read.
  if (type !== null && !/^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type)) refuseType()
}

function refuseType(): never {
  throw new HttpError('CONTENT_UNSUPPORTED', { expected: 'it must be application/json in UTF-8' })
}

async function readBytes(body: ReadableStream<Uint8Array>, limits: BodyLimits): Promise<Uint8Array> {
  const reader = body.getReader()
  const { bodySizeMax, bodyTimeoutMs } = limits
  let isLate = false
  // What waits for the body is told that it has ended.
  const giveUp = () => {
    isLate = true
    reader.cancel().catch(() => {})
  }
  const timer = startTimer(giveUp, bodyTimeoutMs)
  const bytes = new Bytes(bodySizeMax)
  try {
    while (true) {
      const { done, value } = await reader.read()
      if (isLate) throw new HttpError('BODY_TOO_SLOW', { timeoutMs: bodyTimeoutMs })
      if (done) return bytes.all
      if (bytes.size + value.length > bodySizeMax) tooLarge(limits)
      bytes.add(value)
    }
  } catch (error) {
    // Nobody reads the rest.
    reader.cancel().catch(() => {})
    throw error instanceof HttpError ? error : new HttpError('REQUEST_MALFORMED', { reason: 'its body breaks off' })
  } finally {
    stopTimer(timer)
  }
}

/** Bytes that come in pieces. They are copied into one place, because a tiny piece costs far more than its bytes. */
class Bytes {
  readonly #sizeMax: number
  #held = new Uint8Array(0)
  #size = 0

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
  }

  get size(): number {
    return this.#size
  }

  get all(): Uint8Array {
    return this.#held.subarray(0, this.#size)
  }

  add(piece: Uint8Array): void {
    const size = this.#size + piece.length
    if (size > this.#held.length) {
      // The first piece is usually all.
      const room = this.#size === 0 ? size : Math.min(this.#sizeMax, Math.max(size, 2 * this.#held.length))
      const larger = new Uint8Array(room)
      larger.set(this.all)
      this.#held = larger
    }
    this.#held.set(piece, this.#size)
    this.#size = size
  }
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
