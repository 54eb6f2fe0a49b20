/**
 * Sends a reaction's scheduled commands when they are due. If a command fails, its timer gets a later time and the
 * number of failures, so neither other commands nor events wait for it. After the last try the policy decides what
 * happens to it. If this program does not know the command, a newer program may have scheduled it, so it is left to a
 * newer program first.
 */
import { discreet } from '../../domain/discreet.ts'
import { hasCode } from '../../domain/error.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { Outcome } from '../../domain/outcome.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import type { Fence } from '../../kernel/dispatch-options.ts'
import type { Breath } from '../../runtime/breath.ts'
import { backOffMs } from '../../runtime/environment.ts'
import type { Row } from '../../store/store.ts'
import type { Bookmark } from '../checkpoint/bookmark.ts'
import { isForLater, isNewer, isOutage, isUnfit, LeftToNewer, Overtaken } from '../failures/blame.ts'
import { stoppedBefore, warnOfGivenUp } from '../failures/giving-up.ts'
import { checkPlace, readEach } from '../log/read-each.ts'
import { parkedRow, reasonOf } from '../stored/parked-events.ts'
import {
  calledTimer,
  commandOf,
  laterRows,
  nameOfTimer,
  positionOfTimer,
  type WaitingTimer,
  withoutTimer,
} from '../stored/timer-row.ts'
import { warnOfRefused } from './event-run.ts'
import type { ReactionStepsOptions, Sending } from './reaction-call.ts'
import type { Timers } from './timers.ts'

export interface DueCommandsOptions {
  readonly options: ReactionStepsOptions
  readonly timers: Timers
  readonly bookmark: Bookmark
  readonly fence: Fence
  readonly breath: Breath
}

/**
 * Which of the due commands were sent: all, or some because the time of a step was over. `overtaken`: this runner was
 * overtaken.
 */
export type Fired = 'all' | 'some' | 'overtaken'

export class DueCommands {
  readonly #parts: DueCommandsOptions
  /** `othersLed` of the bookmark when this program found that no newer program takes over. */
  #aloneSince: number | undefined

  constructor(parts: DueCommandsOptions) {
    this.#parts = parts
  }

  /** When the next command is due, in milliseconds from now. */
  async restMs(): Promise<number> {
    const next = await this.#parts.timers.first()
    return Math.max(0, (next?.dueAt ?? Number.POSITIVE_INFINITY) - this.#parts.options.environment.now())
  }

  /**
   * Sends the due commands, in the order in which they are due, for at most the time of a step.
   *
   * @throws LeftToNewer for a command that waits for a newer program; ProjectionError `PROJECTION_FAILED`; what the
   *   store throws, `LOG_REPLACED` if the log is not the one that has scheduled them
   */
  async fire(signal: AbortSignal, mostMs: number): Promise<Fired> {
    const { timers, bookmark, breath, options } = this.#parts
    const { environment, lead, store } = options
    const now = environment.now()
    const end = environment.elapsed() + mostMs
    for (let isFirst = true; ; isFirst = false) {
      const next = await timers.first()
      if (next === undefined || next.dueAt > now) return 'all'
      // If the log was replaced, the event that has scheduled it may never have happened.
      if (isFirst) await checkPlace(store, bookmark.here)
      if (signal.aborted || environment.elapsed() >= end) return 'some'
      await breath.pause()
      const rows = await this.#send(next)
      if (rows === undefined) return 'overtaken'
      if (!(await bookmark.keep([...withoutTimer(next), ...rows]))) return 'overtaken'
      if (!rows.some(({ key }) => nameOfTimer(key) === nameOfTimer(next.key))) lead.tries.commandOver(next)
    }
  }

  /** @returns the rows that replace its row, or `undefined` if this runner was overtaken */
  async #send(timer: WaitingTimer): Promise<readonly Row[] | undefined> {
    const { options, fence } = this.#parts
    const command = commandOf(timer)
    try {
      const outcome = await this.#dispatch(timer, command, { fence, derivedId: timer.derivedId })
      if (!outcome.accepted) warnOfRefused(options, command, outcome.rejection)
      return []
    } catch (cause) {
      if (cause instanceof Overtaken) return undefined
      if (isNewer(cause)) throw new LeftToNewer(timer, cause, true)
      if (isForLater(cause) || isOutage(cause)) throw cause
      if (hasCode(cause, 'SEQUENCE_UNEXPECTED')) {
        warnOfRefused(options, command, cause)
        return []
      }
      return this.#failed(timer, discreet(cause, timer.command))
    }
  }

  /** Sends the command, and tells an observer. */
  async #dispatch(timer: WaitingTimer, command: PlainCommand, sending: Sending): Promise<Outcome> {
    const { observing, dispatch, reaction } = this.#parts.options
    if (observing === undefined) return dispatch(command, sending)
    const { aggregate, id, name, metadata = {} } = command
    const fields = {
      reaction: reaction.name,
      stream: { aggregate, id },
      command: name,
      dueAtMs: timer.dueAt,
      metadata: metadata as JsonObject,
    }
    const span = observing.start('timer', fields)
    try {
      const send = () => dispatch(command, { ...sending, parent: span.id })
      const outcome = await observing.surround(span.id, send)
      span.end({ outcome: outcome.accepted ? 'sent' : 'rejected' })
      return outcome
    } catch (error) {
      span.end({ outcome: 'failed', error })
      throw error
    }
  }

  async #failed(timer: WaitingTimer, cause: unknown): Promise<readonly Row[] | undefined> {
    const { options, bookmark } = this.#parts
    const { environment, lead } = options
    const { policy } = options.reaction
    const { tries = 0 } = timer
    if (isUnfit(cause)) {
      const isAlone = this.#aloneSince === bookmark.othersLed
      this.#aloneSince = bookmark.othersLed
      // Each such command is left to a newer program once. It is not if no other process has led since this was tried.
      if (tries === 0 && !isAlone) {
        if (!(await bookmark.keep(laterRows(timer, timer.dueAt, 1)))) return undefined
        throw new LeftToNewer(timer, cause, false)
      }
    }
    if (tries >= policy.retries) return this.#giveUp(timer, cause)
    const waitMs = backOffMs(environment, tries, policy.pauseFirstMs, policy.pauseMaxMs)
    lead.tries.sendAgain(timer, tries, cause, policy, waitMs)
    return laterRows(timer, environment.now() + waitMs, tries + 1)
  }

  async #giveUp(timer: WaitingTimer, cause: unknown): Promise<readonly Row[] | undefined> {
    const { options, bookmark } = this.#parts
    const { giveUp } = options.reaction.policy
    const what = calledTimer(timer)
    const [event] = await readEach(options.store, [positionOfTimer(timer.key)], bookmark.here)
    if (giveUp === 'stop') {
      // After the next start it has all its tries again.
      if (!(await bookmark.keep(laterRows(timer, timer.dueAt, 0)))) return undefined
      throw stoppedBefore(options.name, event!, cause, what)
    }
    warnOfGivenUp(options, giveUp, what, cause)
    return giveUp === 'skip' ? [] : [parkedRow(event!, [], reasonOf(cause), options.environment.now(), timer)]
  }
}
