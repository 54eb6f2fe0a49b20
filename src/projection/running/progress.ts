/**
 * How far a long catch-up is, how fast it is, and how long it will take.
 *
 * Tidy: inferred exports because the method by which it is iterated is named by a symbol.
 */
import { type Environment, sleep } from '../../runtime/environment.ts'

export interface Progress {
  readonly name: string
  /** The last position that is handled. */
  readonly position: number
  /** The log's last position. */
  readonly head: number
  /** The number of positions handled since the start. */
  readonly done: number
  readonly perSecond: number
  /** How long the rest will take at this rate, in milliseconds. Unknown before there is a rate. */
  readonly remainingMs: number | undefined
}

/** Makes progress from places, measured from the first call on. */
export function progressMeter(
  name: string,
  environment: Environment,
): (place: { readonly position: number; readonly head: number }) => Progress {
  let begun: { readonly at: number; readonly position: number } | undefined
  return ({ position, head }) => {
    const now = environment.now()
    begun ??= { at: now, position }
    const done = Math.max(0, position - begun.position)
    const perSecond = now > begun.at ? Math.round((done * 1000) / (now - begun.at)) : 0
    const left = Math.max(0, head - position)
    const remainingMs = left === 0 ? 0 : perSecond > 0 ? Math.round((left * 1000) / perSecond) : undefined
    return { name, position, head, done, perSecond, remainingMs }
  }
}

export interface ProgressOptions {
  /** The interval between looks, in milliseconds: 500 by default. */
  readonly everyMs?: number
  /** Ends it with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Progress that is looked at, at intervals, until everything in the log is handled. The last progress says so. Iterate
 * it, or await it for the last progress. Nobody looks before that, and each iteration begins anew.
 */
export class ProgressWatch implements PromiseLike<Progress>, AsyncIterable<Progress> {
  readonly #looks: () => AsyncGenerator<Progress, void, void>

  /** Iterating and awaiting throw what `place` throws, and the signal's reason. */
  constructor(
    name: string,
    environment: Environment,
    place: () => Promise<{ readonly position: number; readonly head: number }>,
    { everyMs = 500, signal }: ProgressOptions,
  ) {
    this.#looks = async function* () {
      const measure = progressMeter(name, environment)
      for (;;) {
        signal?.throwIfAborted()
        const progress = measure(await place())
        yield progress
        if (progress.position >= progress.head) return
        await sleep(environment, everyMs, signal)
      }
    }
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise with progress
  then<Fulfilled = Progress, Rejected = never>(
    onFulfilled?: ((last: Progress) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.#last().then(onFulfilled, onRejected)
  }

  [Symbol.asyncIterator](): AsyncGenerator<Progress, void, void> {
    return this.#looks()
  }

  async #last(): Promise<Progress> {
    let last: Progress | undefined
    for await (const progress of this.#looks()) last = progress
    return last!
  }
}

/**
 * Work in progress. Await it for its result, or iterate its progress. A slow reader misses some progress, but never the
 * last one. Leaving the loop does not end the work.
 */
export class Job<Result> implements PromiseLike<Result>, AsyncIterable<Progress> {
  readonly #done: Promise<Result>
  #latest: Progress | undefined
  /** Resolves when there is new progress, or the work is over. */
  #news = Promise.withResolvers<void>()
  #isOver = false

  /** @param work starts at once, and reports its progress */
  constructor(work: (onProgress: (progress: Progress) => void) => Promise<Result>) {
    const tell = () => {
      this.#news.resolve()
      this.#news = Promise.withResolvers()
    }
    const end = () => {
      this.#isOver = true
      tell()
    }
    this.#done = work((progress) => {
      this.#latest = progress
      tell()
    })
    // A failure is thrown to those who await or iterate. If there are none, it is no unhandled rejection.
    this.#done.then(end, end)
  }

  /** @throws what the work throws */
  // biome-ignore lint/suspicious/noThenProperty: it is a promise with progress
  then<Fulfilled = Result, Rejected = never>(
    onFulfilled?: ((result: Result) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.#done.then(onFulfilled, onRejected)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Progress, void, void> {
    for (let told: Progress | undefined; ; ) {
      const progress = this.#latest
      if (progress !== undefined && progress !== told) {
        told = progress
        yield progress
      } else if (this.#isOver) break
      else await this.#news.promise
    }
    await this.#done
  }
}
