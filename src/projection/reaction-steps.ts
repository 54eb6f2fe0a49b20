/**
 * How a reaction goes forward: a step sends the scheduled commands that are due, then handles the next events one after the
 * other. What it keeps changes together with its checkpoint. A crash in between repeats what was not saved yet; the ids of
 * the commands, which follow from the event's position and the command's name, make the repetition harmless.
 */
import { ProjectionError } from '../domain/error.ts'
import { lift, type RecordedEvent } from '../domain/event.ts'
import { backOffMs, sleep } from '../kernel/environment.ts'
import type { Row, StoredEvent } from '../store/store.ts'
import { Checkpoint } from './checkpoint.ts'
import { Exclusive } from './exclusive.ts'
import {
  type Dispatch,
  isForLater,
  isHopeless,
  type PlainCommand,
  ReactionCall,
  type ReactionOptions,
} from './reaction-call.ts'
import { ReactionRows } from './reaction-rows.ts'
import type { Stepper, StepResult } from './stepper.ts'

/** Events handled between two savings of the checkpoint. */
const batchSize = 100

export class ReactionSteps implements Stepper {
  readonly #options: ReactionOptions
  readonly #types: readonly string[]
  readonly #checkpoint: Checkpoint
  readonly #exclusive = new Exclusive()
  readonly #rows = new ReactionRows()
  /** Rows are saved one at a time, also where a handler does several things at once. */
  readonly #saving = new Exclusive()

  /** @param onReached told each position up to which everything is handled */
  constructor(options: ReactionOptions, onReached: (position: number) => void) {
    this.#options = options
    this.#types = [...options.reaction.handlings.keys()]
    this.#checkpoint = new Checkpoint(options.name, options.store, onReached)
  }

  get position(): number {
    return this.#checkpoint.position
  }

  load(): Promise<void> {
    return this.#exclusive.run(() => this.#load())
  }

  beginBehind(position: number): Promise<void> {
    return this.#exclusive.run(async () => {
      await this.#checkpoint.beginBehind(position)
      await this.#load()
    })
  }

  save(): Promise<void> {
    return this.#exclusive.run(() => this.#checkpoint.flush())
  }

  step(signal: AbortSignal): Promise<StepResult> {
    return this.#exclusive.run(() => this.#step(signal))
  }

  async #load(): Promise<void> {
    await this.#checkpoint.load()
    await this.#rows.load(this.#options.store, this.#options.name)
  }

  /** Saves rows, and how far the log is handled; false if another runner was faster. */
  #save(position: number, rows: readonly Row[], atOnce: boolean): Promise<boolean> {
    return this.#saving.run(async () => {
      if (!(await this.#checkpoint.advance(position, rows, atOnce))) return false
      this.#rows.apply(rows)
      return true
    })
  }

  async #step(signal: AbortSignal): Promise<StepResult> {
    const { store, environment } = this.#options
    const before = this.position
    if (!(await this.#fireTimers(signal))) return this.#startOver()
    const range = { from: before + 1, to: Number.POSITIVE_INFINITY }
    const page = await store.readAll(range, { types: this.#types, limit: batchSize })
    const rows: Row[] = []
    let failure: ProjectionError | undefined
    let position = page.examined
    let events = 0
    for (const stored of page.events) {
      const outcome = await this.#handle(stored, signal)
      if (!Array.isArray(outcome)) {
        failure = outcome === 'for later' ? undefined : (outcome as ProjectionError)
        position = stored.position - 1
        break
      }
      rows.push(...outcome, ...this.#rows.handled(stored.position))
      events++
    }
    if (!(await this.#save(position, rows, events > 0 || failure !== undefined))) return this.#startOver()
    if (failure !== undefined) throw failure
    const restMs = Math.max(0, this.#rows.nextDueAt - environment.now())
    return { events, caughtUp: page.events.length < batchSize || signal.aborted, restMs }
  }

  /** Another runner was faster: go on from where it is. */
  async #startOver(): Promise<StepResult> {
    await this.#load()
    return { events: 0, caughtUp: false }
  }

  /** Sends what is due, in the order in which it is due; says whether this runner is still the one. */
  async #fireTimers(signal: AbortSignal): Promise<boolean> {
    const now = this.#options.environment.now()
    const due = [...this.#rows.timers].filter(([, { dueAt }]) => dueAt <= now).sort(([, a], [, b]) => a.dueAt - b.dueAt)
    for (const [key, { command }] of due) {
      if (signal.aborted) return true
      await this.#fire(command as unknown as PlainCommand)
      if (!(await this.#save(this.position, [{ key, value: undefined }], true))) return false
    }
    return true
  }

  /** Sends a scheduled command. One that can never be sent is treated like an event that can never be handled. */
  async #fire(command: PlainCommand): Promise<void> {
    const { reaction, dispatch, warn } = this.#options
    try {
      await dispatch(command)
    } catch (cause) {
      if (!isHopeless(cause)) throw cause
      const what = `the scheduled command ${command.name} on ${command.aggregate} ${JSON.stringify(command.id)}`
      if (reaction.policy.giveUp === 'stop') throw this.#failure(this.position, what, cause)
      warn({ code: 'REACTION_SKIPPED', message: `The reaction ${reaction.name} skips ${what}`, cause })
    }
  }

  /** Handles one event, again and again if it fails: the rows that it leaves, or why it cannot be handled. */
  async #handle(stored: StoredEvent, signal: AbortSignal): Promise<readonly Row[] | ProjectionError | 'for later'> {
    const { reaction, environment, warn } = this.#options
    const { retries, firstMs, maxMs, giveUp } = reaction.policy
    for (let tries = 0; ; tries++) {
      if (signal.aborted) return 'for later'
      try {
        return await this.#call(stored, signal)
      } catch (cause) {
        if (signal.aborted || isForLater(cause)) return 'for later'
        if (tries < retries) {
          await sleep(environment, backOffMs(environment, tries, firstMs, maxMs), signal)
          continue
        }
        const { position, type } = stored
        if (giveUp === 'stop') return this.#failure(position, type, cause)
        warn({ code: 'REACTION_SKIPPED', message: `The reaction ${reaction.name} skips ${type} at ${position}`, cause })
        return []
      }
    }
  }

  async #call(stored: StoredEvent, signal: AbortSignal): Promise<readonly Row[]> {
    const { reaction, dispatch } = this.#options
    const { kind, handle } = reaction.handlings.get(stored.type)!
    const data = lift(kind, stored.revision, stored.data)
    const event: RecordedEvent = { ...stored, data, recordedAt: new Date(stored.recordedAt) }
    const call = new ReactionCall(reaction.name, event, this.#rows, {
      dispatch: dispatch satisfies Dispatch,
      keep: (row) => this.#save(this.position, [row], true),
      signal,
    })
    await handle(event, call.tools())
    return call.timers
  }

  #failure(position: number, event: string, cause: unknown): ProjectionError<'PROJECTION_FAILED'> {
    const projection = `reaction ${this.#options.reaction.name}`
    return new ProjectionError('PROJECTION_FAILED', { projection, position, event }, cause)
  }
}
