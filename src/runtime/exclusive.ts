/** Runs one piece of work at a time, in the order of the calls. If one fails, the next runs all the same. */

export class Exclusive {
  #last: Promise<unknown> = Promise.resolve()

  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }
}
