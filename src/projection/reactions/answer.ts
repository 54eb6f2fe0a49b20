/**
 * The answer to a command that a handler sends: a promise that knows whether anybody asks what became of it.
 *
 * Tidy: inferred exports because what says what follows from it is named by a symbol.
 */

export class Answer<Value> extends Promise<Value> {
  isAwaited: boolean = false
  isSettled: boolean = false

  /** What follows from an answer is a promise like any other. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  /** Awaiting it comes here too. */
  // biome-ignore lint/suspicious/noThenProperty: it is a promise that notices who waits
  override then<Fulfilled = Value, Rejected = never>(
    onFulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.isAwaited = true
    return super.then(onFulfilled, onRejected)
  }

  /** Settles as the work does. @param onSettled is told how, and does not count as asking */
  static of<Value>(work: Promise<Value>, onSettled: (answer: Answer<Value>) => void): Answer<Value> {
    const answer = new Answer<Value>((resolve, reject) => void work.then(resolve, reject))
    const settle = () => {
      answer.isSettled = true
      onSettled(answer)
    }
    Promise.prototype.then.call(answer, settle, settle)
    return answer
  }
}
