/** Some events of a reaction, handled one after the other: what each leaves, until it is saved. */
import { streamKey } from '../domain/code-projection.ts'
import { decode, encode } from '../domain/encoding.ts'
import { ProjectionError } from '../domain/error.ts'
import type { RecordedEvent } from '../domain/event.ts'
import type { Json } from '../domain/json.ts'
import type { PlainCommand } from '../domain/plain-command.ts'
import { Rejection } from '../domain/rejection.ts'
import { checkId } from '../domain/stream.ts'
import { eventOf } from '../kernel/rehydrate.ts'
import type { Row, StoredEvent } from '../store/store.ts'
import { isForLater, isNewer, isOutage, Overtaken } from './blame.ts'
import { type ParkedEvents, parkedRow, reasonOf } from './parked-events.ts'
import { type Means, ReactionCall, type ReactionOptions } from './reaction-call.ts'
import { type ReactionRows, stateKey } from './reaction-rows.ts'

export class EventRun {
  readonly #options: ReactionOptions
  readonly #reactionRows: ReactionRows
  readonly #parked: ParkedEvents | undefined
  readonly #means: Pick<Means, 'keep' | 'fence'>
  /** States as the events so far have left them, by the keys of their rows. */
  readonly #states = new Map<string, Json | undefined>()
  /** Streams of events that were parked in this run. */
  readonly #blocked = new Set<string>()
  /** What is to be saved together with the checkpoint. */
  readonly rows: Row[] = []
  /** Whether another runner was found to be faster. */
  isOvertaken: boolean = false

  /**
   * @param parked what is parked already; without it nothing queues
   */
  constructor(
    options: ReactionOptions,
    rows: ReactionRows,
    parked: ParkedEvents | undefined,
    means: Pick<Means, 'keep' | 'fence'>,
  ) {
    this.#options = options
    this.#reactionRows = rows
    this.#parked = parked
    this.#means = means
  }

  /** Reads the states that the events will want, all at once. */
  async loadStates(events: readonly StoredEvent[]): Promise<void> {
    const { reaction, store, name } = this.#options
    if (reaction.memory === undefined) return
    const keys = new Set<string>()
    for (const stored of events) {
      const key = this.#stateKeyOf(stored)
      if (key !== undefined) keys.add(key)
    }
    const values = keys.size === 0 ? [] : await store.loadRows(name, [...keys])
    for (const [i, key] of [...keys].entries()) this.#states.set(key, values[i])
  }

  /**
   * Handles an event, again and again if it fails, and in the end as the policy says.
   *
   * @returns false if it is to be handled later, or by another
   * @throws ProjectionError `PROJECTION_FAILED`; what the store throws where it is the store that fails
   */
  async handle(stored: StoredEvent, signal: AbortSignal): Promise<boolean> {
    const { reaction, lead } = this.#options
    const { policy } = reaction
    const key = streamKey(stored)
    if (this.#blocked.has(key) || this.#parked?.blocks(key)) {
      this.#park(stored, `it queues behind another of the stream ${key}`)
      return true
    }
    for (let tries = 0; ; tries++) {
      if (signal.aborted || !(await lead.keepLead())) return false
      try {
        await this.#call(stored, signal)
        return true
      } catch (cause) {
        if (signal.aborted || isForLater(cause)) return false
        if (isOutage(cause) || isNewer(cause)) throw cause
        if (tries >= policy.retries) {
          this.#giveUp(stored, cause)
          return true
        }
        await lead.tries.again(stored, tries, cause, policy, signal)
      }
    }
  }

  /** Handles an event that was parked; says whether it could be. @throws what the store throws */
  async attempt(stored: StoredEvent, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#call(stored, signal)
      return true
    } catch (cause) {
      if (isOutage(cause) || isNewer(cause)) throw cause
      if (!signal.aborted && !isForLater(cause)) {
        warnOf(this.#options, 'park', `${stored.type} at ${stored.position}`, cause)
      }
      return false
    }
  }

  async #call(stored: StoredEvent, signal: AbortSignal): Promise<void> {
    const { reaction, kinds, dispatch, stateAt } = this.#options
    const event = this.#lifted(stored)
    const key = reaction.memory === undefined ? undefined : this.#checkedKey(reaction.memory.key(event))
    const onRefused = (command: PlainCommand, why: unknown) => warnOfRefused(this.#options, command, why)
    const { keep, fence } = this.#means
    const means = { dispatch, stateAt, keep, fence, onRefused, state: this.#stateUnder(key), signal }
    const call = new ReactionCall(reaction.name, event, this.#reactionRows, means)
    try {
      await call.run(kinds.of(stored)!.handle)
    } catch (error) {
      if (error instanceof Overtaken) this.isOvertaken = true
      throw error
    }
    const { changedState } = call
    if (changedState !== undefined && key !== undefined) {
      const { state } = changedState
      const value = state === undefined ? undefined : encode(`The state of the reaction ${reaction.name}`, state)
      this.#states.set(key, value)
      this.rows.push({ key, value })
    }
    this.rows.push(...call.timers, ...this.#reactionRows.handled(stored.position))
  }

  #giveUp(stored: StoredEvent, cause: unknown): void {
    const { type, position } = stored
    const { giveUp } = this.#options.reaction.policy
    if (giveUp === 'stop') throw failureOf(this.#options, position, type, cause)
    warnOf(this.#options, giveUp, `${type} at ${position}`, cause)
    if (giveUp === 'park') this.#park(stored, reasonOf(cause))
    else this.rows.push(...this.#reactionRows.handled(position))
  }

  #park(stored: StoredEvent, reason: string): void {
    const key = streamKey(stored)
    this.#blocked.add(key)
    this.rows.push(parkedRow(stored, [key], reason, this.#options.environment.now()))
  }

  /** The state as it was left last; the initial one if there is none. */
  #stateUnder(key: string | undefined): unknown {
    const value = key === undefined ? undefined : this.#states.get(key)
    return value === undefined ? this.#options.reaction.memory?.initial() : decode(value)
  }

  /** The key of the row that holds an event's state; none for an event that cannot be read, which fails when it is handled. */
  #stateKeyOf(stored: StoredEvent): string | undefined {
    try {
      return this.#checkedKey(this.#options.reaction.memory!.key(this.#lifted(stored)))
    } catch {
      return undefined
    }
  }

  #lifted(stored: StoredEvent): RecordedEvent {
    return eventOf(this.#options.kinds.of(stored)!.kind, stored)
  }

  #checkedKey(key: unknown): string {
    checkId('the key of a state', key)
    return stateKey(key)
  }
}

/** The error of a reaction that stands before something that it cannot handle. */
export function failureOf(
  { reaction }: ReactionOptions,
  position: number,
  event: string,
  cause: unknown,
): ProjectionError<'PROJECTION_FAILED'> {
  return new ProjectionError('PROJECTION_FAILED', { projection: `reaction ${reaction.name}`, position, event }, cause)
}

/** Warns of what is skipped or parked. */
export function warnOf(
  { reaction, warn }: ReactionOptions,
  giveUp: 'skip' | 'park',
  what: string,
  cause: unknown,
): void {
  const code = giveUp === 'park' ? 'REACTION_PARKED' : 'REACTION_SKIPPED'
  warn({ code, message: `The reaction ${reaction.name} ${giveUp}s ${what}`, cause })
}

/** Warns of a command that was not accepted, and that no handler asks about. */
export function warnOfRefused(
  { reaction, warn }: ReactionOptions,
  { name, aggregate, id }: PlainCommand,
  why: unknown,
): void {
  const reason = why instanceof Rejection ? `: ${why.code}` : ''
  const message = `The command ${name} of the reaction ${reaction.name} on ${aggregate} ${JSON.stringify(id)} was refused${reason}`
  warn({ code: 'REACTION_COMMAND_REFUSED', message, ...(why instanceof Error && { cause: why }) })
}
