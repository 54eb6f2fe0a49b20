/** One thing at a time, in the order in which it was asked for. What fails holds nobody up. */

export class Exclusive {
  #last: Promise<unknown> = Promise.resolve()

  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }
}
