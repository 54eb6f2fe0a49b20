/**
 * How far a long catch-up is, how fast, and how long it will take.
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
  /** Positions handled since this was begun. */
  readonly done: number
  readonly perSecond: number
  /** How long the rest will take at this rate, in milliseconds; unknown before there is a rate. */
  readonly remainingMs: number | undefined
}

/** Turns places into progress, measured from its first call on. */
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
  /** How often to look, in milliseconds: 500 by default. */
  readonly everyMs?: number
  /** Ends it with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Looks again and again until all that is in the log is handled; the last look says so.
 *
 * @throws what `place` throws; the signal's reason
 */
export async function* watchProgress(
  name: string,
  environment: Environment,
  place: () => Promise<{ readonly position: number; readonly head: number }>,
  { everyMs = 500, signal }: ProgressOptions,
): AsyncGenerator<Progress, void, void> {
  const measure = progressMeter(name, environment)
  for (;;) {
    signal?.throwIfAborted()
    const progress = measure(await place())
    yield progress
    if (progress.position >= progress.head) return
    await sleep(environment, everyMs, signal)
  }
}

/**
 * Work that is under way: await it for its result, or iterate its progress. Who iterates slowly misses steps in
 * between, never the last; who leaves the loop early leaves the work going on.
 */
export class Job<Result> implements PromiseLike<Result>, AsyncIterable<Progress> {
  readonly #done: Promise<Result>
  #latest: Progress | undefined
  /** Resolves when there is something new to say. */
  #news = Promise.withResolvers<void>()
  #isOver = false

  /** @param work is begun at once; tells its progress */
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
    // Whoever awaits or iterates learns of a failure; nobody has to do both.
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
