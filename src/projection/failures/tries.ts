/** What failed and is tried again: said at its first failure, and shown until it is over. */
import type { FailurePolicy } from '../../domain/failure-policy.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import { backOffMs, type Environment, sleep } from '../../runtime/environment.ts'
import type { Warn, Warning } from '../../runtime/warning.ts'
import type { StoredEvent } from '../../store/store.ts'
import { calledTimer, nameOfTimer, positionOfTimer, type WaitingTimer } from '../stored/timer-row.ts'
import { LeftToNewer } from './blame.ts'

/** Something that failed and is tried again. */
export interface Retrying {
  /**
   * The event that could not be handled; without it and a command, it is the store that fails, or something is newer
   * than this program.
   */
  readonly event?: { readonly position: number; readonly type: string }
  /** The scheduled command that could not be sent, and the position of the event that has scheduled it. */
  readonly command?: Pick<PlainCommand, 'aggregate' | 'id' | 'name'> & { readonly position: number }
  /** How often it has failed by now. */
  readonly attempts: number
  readonly nextAt: Date
  readonly error: unknown
}

export interface TriesOptions {
  /** The projection or reaction, as it is called in a sentence. */
  readonly called: string
  readonly environment: Environment
  readonly warn: Warn
  /** Keeps the lease during a pause. */
  readonly during: (pause: () => Promise<void>) => Promise<void>
}

/** A projection or reaction by its name, as it is called in a sentence. */
export const calledOf = (name: string): string => (name.startsWith('reaction ') ? name : `projection ${name}`)

type Event = Pick<StoredEvent, 'position' | 'type'>

const storeFirstMs = 50
const storeMaxMs = 5_000

export class Tries {
  readonly #options: TriesOptions
  readonly #events = new Map<number, Retrying>()
  /** By what tells them from all others that were scheduled. */
  readonly #commands = new Map<string, Retrying>()
  /** How often events have failed, by position: also while another process leads. */
  readonly #failures = new Map<number, number>()
  #store: Retrying | undefined
  /** Of the store, in a row. */
  #storeFailures = 0

  constructor(options: TriesOptions) {
    this.#options = options
  }

  /** What is tried again at present: the store, the first event, or a scheduled command. */
  get current(): Retrying | undefined {
    const event = this.#events.get(Math.min(...this.#events.keys()))
    return this.#store ?? event ?? this.#commands.values().next().value
  }

  /**
   * An event has failed: waits before the next try, as long as the policy says.
   *
   * @returns false at once if it has failed so often that it is not tried again
   */
  async again(
    { position, type }: Event,
    error: unknown,
    policy: Required<FailurePolicy>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { called, environment, during } = this.#options
    const tries = this.#failures.get(position) ?? 0
    if (tries >= policy.retries) return false
    this.#failures.set(position, tries + 1)
    const waitMs = backOffMs(environment, tries, policy.pauseFirstMs, policy.pauseMaxMs)
    this.#events.set(position, { event: { position, type }, ...this.#next(tries, error, waitMs) })
    const code = called.startsWith('reaction') ? 'REACTION_RETRIED' : 'PROJECTION_RETRIED'
    const what = `could not handle ${type} at ${position}, and tries it again (${policy.retries} times at most)`
    if (tries === 0) this.#warn(code, what, error)
    await during(() => sleep(environment, waitMs, signal))
    return true
  }

  /** The store has failed: says so the first time, and waits before the next try. */
  async storeAgain(error: unknown, signal: AbortSignal): Promise<void> {
    const { environment } = this.#options
    const tries = this.#storeFailures++
    const waitMs = backOffMs(environment, tries + 1, storeFirstMs, storeMaxMs)
    this.#store = this.#next(tries, error, waitMs)
    if (tries === 0) this.#warn('PROJECTION_DELAYED', 'is held up, and tries again until it can go on', error)
    await sleep(environment, waitMs, signal)
  }

  /** A scheduled command has failed so often before, and now once more: it is sent again after a while. */
  sendAgain(timer: WaitingTimer, tries: number, error: unknown, policy: Required<FailurePolicy>, waitMs: number): void {
    this.#commands.set(nameOfTimer(timer.key), { command: addressOf(timer), ...this.#next(tries, error, waitMs) })
    const what = `could not send ${calledTimer(timer)}, and sends it again (${policy.retries} times at most)`
    if (tries === 0) this.#warn('REACTION_RETRIED', what, error)
  }

  /** A scheduled command is not tried any more. */
  commandOver({ key }: WaitingTimer): void {
    this.#commands.delete(nameOfTimer(key))
  }

  /** Nothing is known of scheduled commands any more. */
  commandsOver(): void {
    this.#commands.clear()
  }

  /**
   * An event, or an aggregate's behind it, is newer than this program, or a scheduled command may be. It looks again
   * after a while.
   */
  standBack(tries: number, error: unknown, waitMs: number): void {
    const isCommand = error instanceof LeftToNewer
    const reason = isCommand ? error.cause : error
    this.#store = {
      ...(isCommand && { command: addressOf(error.timer) }),
      ...this.#next(tries, reason, waitMs),
    }
    if (tries > 0) return
    const what = isCommand
      ? `leaves ${calledTimer(error.timer)} to a newer program`
      : 'leaves an event that is newer than this program to a newer one'
    this.#warn('PROJECTION_STOOD_BACK', what, reason)
  }

  /** The event at a position is not tried any more. */
  over(position: number): void {
    this.#events.delete(position)
    this.#failures.delete(position)
  }

  /** Everything up to a position is handled. */
  reached(position: number): void {
    for (const each of this.#failures.keys()) if (each <= position) this.over(each)
  }

  /** The store answers again. */
  storeIsBack(): void {
    this.#store = undefined
    this.#storeFailures = 0
  }

  /** Nothing is tried here for now: another process leads. It counts on if that comes back. */
  rest(): void {
    this.#events.clear()
    this.#commands.clear()
    this.#store = undefined
  }

  /** Nothing is tried any more. */
  clear(): void {
    this.rest()
    this.#failures.clear()
    this.#storeFailures = 0
  }

  #next(tries: number, error: unknown, waitMs: number): Retrying {
    return { attempts: tries + 1, nextAt: new Date(this.#options.environment.now() + waitMs), error }
  }

  #warn(code: Warning['code'], what: string, cause: unknown): void {
    const { called, warn } = this.#options
    warn({ code, message: `The ${called} ${what}`, cause })
  }
}

/** What a scheduled command is for, and where it comes from. */
function addressOf({ key, command }: WaitingTimer): NonNullable<Retrying['command']> {
  const { aggregate, id, name } = command as unknown as PlainCommand
  return { aggregate, id, name, position: positionOfTimer(key) }
}
