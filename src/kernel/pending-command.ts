/** A checked command that waits for its answer. It is answered exactly once, and then no longer counts as in flight. */
import { CancelledError, type MnemeError, OutcomeUnknownError } from '../domain/error.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Outcome } from '../domain/outcome.ts'
import type { StreamId } from '../domain/stream.ts'
import type { Span } from '../runtime/observing.ts'
import type { CheckedCommand } from './checked-command.ts'
import { endOf, failedWith } from './command-observation.ts'
import type { Decided } from './decide.ts'
import type { DispatchOptions } from './dispatch-options.ts'

export class PendingCommand {
  readonly command: CheckedCommand
  #isClear: boolean
  #decided: Decided | undefined = undefined
  #conflicts = 0
  #isSent = false
  #isAnswered = false
  #resolve!: (outcome: Outcome) => void
  #reject!: (error: unknown) => void
  readonly #release: () => void
  /** Absent if nobody observes. */
  #span: Span<'command'> | undefined = undefined
  #waitedMs: number | undefined = undefined
  #unlisten: (() => void) | undefined = undefined

  /** @param release called once, when the command is answered */
  constructor(command: CheckedCommand, release: () => void) {
    this.command = command
    this.#isClear = command.isClearAtFirst
    this.#release = release
  }

  get name(): string {
    return this.command.name
  }

  get commandId(): string {
    return this.command.commandId
  }

  get repeatable(): boolean {
    return this.command.repeatable
  }

  get fence(): (() => Promise<void>) | undefined {
    return this.command.fence
  }

  get metadata(): JsonObject {
    return this.command.metadata
  }

  /** Whether it may be decided now: it has no fence, or the fence let it pass since the state was loaded. */
  get isClear(): boolean {
    const { isStillClear, time } = this.command
    return this.#isClear && isStillClear?.() !== false && time?.isMissing !== true
  }

  /** Tells an observer of its end, and of its first decision. */
  observeWith(span: Span<'command'>): void {
    this.#span = span
  }

  /** For observations that belong to it. */
  get span(): Span<'command'> | undefined {
    return this.#span
  }

  /** The decision of the current round. */
  get decided(): Decided | undefined {
    return this.#decided
  }

  /** How often its decision was lost because other writers wrote to the stream. */
  get conflicts(): number {
    return this.#conflicts
  }

  /** Whether its commit may be with the store. From then on, an abort leaves the outcome unknown. */
  get isSent(): boolean {
    return this.#isSent || this.command.isRepeated
  }

  get isAnswered(): boolean {
    return this.#isAnswered
  }

  /** The answer for the caller. Must be called once, before the command can be answered. */
  outcome(): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Ends the caller's wait when the signal is aborted, or its sender says so. What was sent may still be stored. */
  listenTo({ signal, onWaiting }: DispatchOptions, stream: StreamId): void {
    const abort = (reason: unknown) => {
      const { name, commandId } = this
      if (this.isSent) this.fail(new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId }, reason))
      else this.fail(new CancelledError('ABORTED', { what: `The command ${name}` }, reason))
    }
    onWaiting?.(abort)
    if (signal === undefined) return
    const onAbort = () => abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    this.#unlisten = () => signal.removeEventListener('abort', onAbort)
  }

  /** The signal has no effect on it from now on. */
  unlisten(): void {
    this.#unlisten?.()
  }

  /** Prepares it to be decided again, or for the first time on another state. */
  beginAgain(): void {
    this.#isSent = false
    this.#isClear = this.command.isClearAtFirst
  }

  /** Notes that its fence let it pass. */
  clear(): void {
    this.#isClear = true
  }

  /** @param isSent whether its round has commits so far, which will go to the store */
  decideAs(decided: Decided, isSent: boolean): void {
    if (this.#span !== undefined) this.#waitedMs ??= this.#span.elapsedMs
    this.#decided = decided
    this.#isSent = isSent
  }

  /** Notes that it may be stored already. */
  markSent(): void {
    this.#isSent = true
  }

  countConflict(): number {
    return ++this.#conflicts
  }

  succeed(outcome: Outcome): void {
    if (!this.#answer()) return
    this.#resolve(outcome)
    this.#span?.end({ ...endOf(outcome), waitedMs: this.#waitedMs, conflicts: this.#conflicts })
  }

  fail(error: unknown): void {
    if (!this.#answer()) return
    this.#reject(error)
    this.#span?.end({ ...failedWith(error), waitedMs: this.#waitedMs, conflicts: this.#conflicts })
  }

  #answer(): boolean {
    if (this.#isAnswered) return false
    this.#isAnswered = true
    this.#unlisten?.()
    this.#release()
    return true
  }
}

/** The error of a command that is not answered when the kernel stops: what is known about it. */
export function abandoned(stream: StreamId, { name, commandId, isSent }: PendingCommand): MnemeError {
  if (!isSent) return new CancelledError('STOPPED', { what: `The command ${name}` })
  return new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId })
}
