/**
 * The body of a stream of server-sent events. It takes an item from its source only when the client has taken the one
 * before, so a slow client costs what the source reads at once, and no more. A quiet stream sends comments. A client
 * that takes nothing for too long is cut off. When the client goes, the source ends.
 */
import { startTimer, stopTimer, type Timer } from '../runtime/timers.ts'
import type { Service } from './exchange.ts'
import { takePlace } from './stream-places.ts'

export interface SseSource<Item> {
  readonly service: Service
  readonly request: Request
  readonly events: (signal: AbortSignal) => AsyncIterable<Item>
  /** Fields of the first message, which has no event. */
  readonly beginning?: string
  /** An item as a message, with the empty line at its end. */
  readonly messageOf: (item: Item) => string
  /** The last message, if the source fails. */
  readonly failedMessage: (error: unknown) => string
}

/** @throws OverloadError `OVERLOADED` if there are too many streams */
export function sseBody<Item>(source: SseSource<Item>): ReadableStream<Uint8Array> {
  const giveBack = takePlace(source.service)
  let body: SseBody<Item>
  try {
    body = new SseBody(source, giveBack)
  } catch (error) {
    giveBack()
    throw error
  }
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => body.start(controller),
      pull: (controller) => body.pull(controller),
      cancel: () => body.end(),
    },
    { highWaterMark: 0 },
  )
}

type Controller = ReadableStreamDefaultController<Uint8Array>
type Woken = 'quiet' | 'expired'

const encoder = new TextEncoder()

class SseBody<Item> {
  readonly #source: SseSource<Item>
  readonly #giveBack: () => void
  readonly #ended = new AbortController()
  readonly #iterator: AsyncIterator<Item>
  readonly #lifetime: Timer
  readonly #end = () => this.end()
  #next: Promise<IteratorResult<Item>> | undefined
  /** Runs while the client has to take what it was given. */
  #slow: Timer | undefined
  #wake: (why: Woken) => void = () => {}
  #isExpired = false
  #isOver = false

  /** @param giveBack gives its place among the streams back */
  constructor(source: SseSource<Item>, giveBack: () => void) {
    this.#source = source
    this.#giveBack = giveBack
    this.#iterator = source.events(this.#ended.signal)[Symbol.asyncIterator]()
    const expire = () => {
      this.#isExpired = true
      this.#wake('expired')
    }
    this.#lifetime = startTimer(expire, source.service.settings.streamMsMax)
    source.request.signal.addEventListener('abort', this.#end, { once: true })
    if (source.request.signal.aborted) this.end()
  }

  start(controller: Controller): void {
    // The first bytes show the client that the stream has begun.
    this.#give(controller, `: events\n${this.#source.beginning ?? ''}\n`)
  }

  async pull(controller: Controller): Promise<void> {
    stopTimer(this.#slow)
    const { failedMessage, messageOf } = this.#source
    try {
      const found = this.#isExpired ? 'expired' : await this.#nextOrWoken()
      if (found === 'quiet' && !this.#isOver) return this.#give(controller, ':\n\n')
      if (typeof found === 'object' && found.done !== true && !this.#isOver) {
        return this.#give(controller, messageOf(found.value))
      }
    } catch (error) {
      if (!this.#isOver) this.#source.service.report(error)
      if (!this.#isOver) this.#give(controller, failedMessage(error))
    }
    this.end()
    controller.close()
  }

  /** The next item, or a reason why the client gets something else. */
  async #nextOrWoken(): Promise<IteratorResult<Item> | Woken> {
    this.#next ??= this.#iterator.next()
    const { promise: woken, resolve } = Promise.withResolvers<Woken>()
    this.#wake = resolve
    const heartbeat = startTimer(() => resolve('quiet'), this.#source.service.settings.heartbeatMs)
    try {
      const found = await Promise.race([this.#next, woken])
      if (typeof found === 'object') this.#next = undefined
      return found
    } finally {
      stopTimer(heartbeat)
    }
  }

  #give(controller: Controller, text: string): void {
    const cutOff = () => {
      this.end()
      controller.error(new Error('the client of the stream takes nothing'))
    }
    this.#slow = startTimer(cutOff, this.#source.service.settings.slowClientMs)
    controller.enqueue(encoder.encode(text))
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#giveBack()
    stopTimer(this.#lifetime)
    stopTimer(this.#slow)
    this.#source.request.signal.removeEventListener('abort', this.#end)
    this.#ended.abort()
    this.#next?.catch(() => {})
    this.#iterator.return?.().then(undefined, () => {})
    this.#wake('expired')
  }
}
