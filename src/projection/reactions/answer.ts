/**
 * The answer to a command that a handler sends: a promise that knows whether the handler awaits it.
 *
 * Tidy: inferred exports because the species of the promise is named by a symbol.
 */

export class Answer<Value> extends Promise<Value> {
  isAwaited: boolean = false
  isSettled: boolean = false

  /** `then` returns a plain promise, not an answer. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  /** `await` calls this too. */
  // biome-ignore lint/suspicious/noThenProperty: it is a promise that notices `await`
  override then<Fulfilled = Value, Rejected = never>(
    onFulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.isAwaited = true
    return super.then(onFulfilled, onRejected)
  }

  /** Settles as the work does. @param onSettled called then; it does not count as awaiting */
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
