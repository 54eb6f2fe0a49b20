/** Failures that are tried again. The first failure causes a warning. The status shows the failure until it is over. */
import type { FailurePolicy } from '../../domain/failure-policy.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import { backOffMs, type Environment, sleep } from '../../runtime/environment.ts'
import type { Observing } from '../../runtime/observing.ts'
import type { KernelWarning, Warn } from '../../runtime/warning.ts'
import type { StoredEvent } from '../../store/store.ts'
import { calledTimer, nameOfTimer, positionOfTimer, type WaitingTimer } from '../stored/timer-row.ts'
import { LeftToNewer } from './blame.ts'

/** A failure that is tried again. */
export interface Retrying {
  /**
   * The event that could not be handled. If there is neither an event nor a command, the store fails, or an event is
   * newer than this program.
   */
  readonly event?: { readonly position: number; readonly type: string }
  /** The scheduled command that could not be sent, with the position of the event that scheduled it. */
  readonly command?: Pick<PlainCommand, 'aggregate' | 'id' | 'name'> & { readonly position: number }
  /** How often it has failed so far. */
  readonly attempts: number
  readonly nextAt: Date
  readonly error: unknown
}

export interface TriesOptions {
  /** The name of the projection or reaction in a sentence. */
  readonly called: string
  readonly environment: Environment
  readonly warn: Warn
  /** Absent if nobody observes. */
  readonly observing?: Observing | undefined
  /** Keeps the lease during a pause. */
  readonly during: (pause: () => Promise<void>) => Promise<void>
}

/** The name of a projection or reaction in a sentence. */
export const calledOf = (name: string): string => (name.startsWith('reaction ') ? name : `projection ${name}`)

type Event = Pick<StoredEvent, 'position' | 'type'>

const storeFirstMs = 50
const storeMaxMs = 5_000

export class Tries {
  readonly #options: TriesOptions
  readonly #events = new Map<number, Retrying>()
  /** By the name of the timer, which does not change when the command gets a new time. */
  readonly #commands = new Map<string, Retrying>()
  /** How often events have failed, by position. Kept while another process leads. */
  readonly #failures = new Map<number, number>()
  #store: Retrying | undefined
  /** The number of consecutive failures of the store. */
  #storeFailures = 0

  constructor(options: TriesOptions) {
    this.#options = options
  }

  /** The failure to show: the store's, the first event's, or that of a scheduled command. */
  get current(): Retrying | undefined {
    const event = this.#events.get(Math.min(...this.#events.keys()))
    return this.#store ?? event ?? this.#commands.values().next().value
  }

  /** The failure of the event at a position that is tried again. */
  ofEvent(position: number): Retrying | undefined {
    return this.#events.get(position)
  }

  /** The failure of a scheduled command that is sent again. @param key of its timer's row */
  ofCommand(key: string): Retrying | undefined {
    return this.#commands.get(nameOfTimer(key))
  }

  /**
   * Notes that an event has failed, and waits before the next try as long as the policy says.
   *
   * @returns false, without a wait, if the event is not tried again
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

  /** Notes that the store has failed, and waits before the next try. That alone keeps no process alive. */
  async storeAgain(error: unknown, signal: AbortSignal): Promise<void> {
    const { environment } = this.#options
    const tries = this.#storeFailures++
    const waitMs = backOffMs(environment, tries + 1, storeFirstMs, storeMaxMs)
    this.#store = this.#next(tries, error, waitMs)
    if (tries === 0) this.#warn('PROJECTION_DELAYED', 'is delayed, and tries again until it can continue', error)
    await sleep(environment, waitMs, signal, { background: true })
  }

  /** Notes that a scheduled command has failed and is sent again later. @param tries how often it failed before */
  sendAgain(timer: WaitingTimer, tries: number, error: unknown, policy: Required<FailurePolicy>, waitMs: number): void {
    this.#commands.set(nameOfTimer(timer.key), { command: addressOf(timer), ...this.#next(tries, error, waitMs) })
    const what = `could not send ${calledTimer(timer)}, and sends it again (${policy.retries} times at most)`
    if (tries === 0) this.#warn('REACTION_RETRIED', what, error)
  }

  /** Forgets the failure of a scheduled command. */
  commandOver({ key }: WaitingTimer): void {
    this.#commands.delete(nameOfTimer(key))
  }

  /** Forgets the failures of all scheduled commands. */
  commandsOver(): void {
    this.#commands.clear()
  }

  /**
   * Notes that this program stands back: an event that it needs is newer than it is, or a scheduled command may be. It
   * looks again after a while.
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
      : 'leaves an event that is newer than this program to a newer program'
    this.#warn('PROJECTION_STOOD_BACK', what, reason)
  }

  /** Forgets the failure of the event at a position. */
  over(position: number): void {
    this.#events.delete(position)
    this.#failures.delete(position)
  }

  /** Forgets the failures of events up to a position, which is handled. */
  reached(position: number): void {
    for (const each of this.#failures.keys()) if (each <= position) this.over(each)
  }

  /** Forgets the failure of the store, which answers again. */
  storeIsBack(): void {
    this.#store = undefined
    this.#storeFailures = 0
  }

  /** Another process leads, so nothing is tried here. The counts are kept in case this process leads again. */
  rest(): void {
    this.#events.clear()
    this.#commands.clear()
    this.#store = undefined
  }

  /** Forgets all failures and counts. */
  clear(): void {
    this.rest()
    this.#failures.clear()
    this.#storeFailures = 0
  }

  #next(tries: number, error: unknown, waitMs: number): Retrying {
    const { called, observing } = this.#options
    observing?.tell({ kind: 'retry', called, attempts: tries + 1, waitMs, error })
    return { attempts: tries + 1, nextAt: new Date(this.#options.environment.now() + waitMs), error }
  }

  #warn(code: KernelWarning['code'], what: string, cause: unknown): void {
    const { called, warn } = this.#options
    warn({ code, message: `The ${called} ${what}`, cause, follower: called })
  }
}

/** The aggregate and name of a scheduled command, and the position of its event. */
function addressOf({ key, command }: WaitingTimer): NonNullable<Retrying['command']> {
  const { aggregate, id, name } = command as unknown as PlainCommand
  return { aggregate, id, name, position: positionOfTimer(key) }
}
