/**
 * How a reaction goes forward: a step sends the scheduled commands that are due, then handles the next events one after the
 * other. What it keeps changes together with its checkpoint. A crash in between repeats what was not saved yet; the ids of
 * the commands, which follow from the event's position and the command's name, make the repetition harmless.
 */
import type { ProjectionError } from '../domain/error.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Row } from '../store/store.ts'
import { Checkpoint } from './checkpoint.ts'
import { EventRun, failureOf, warnOf } from './event-run.ts'
import { Exclusive } from './exclusive.ts'
import {
  areParked,
  listParked,
  type ParkedEvent,
  ParkedEvents,
  parkedRow,
  reasonOf,
  refuseUnknown,
  unparkedRow,
} from './parked-events.ts'
import { isHopeless, type PlainCommand, type ReactionOptions } from './reaction-call.ts'
import { positionOfTimer, ReactionRows, withoutTimer } from './reaction-rows.ts'
import { readEach } from './read-each.ts'
import type { RetryResult, Stepper, StepResult } from './stepper.ts'

/** Events handled between two savings of the checkpoint. */
const batchSize = 100
/** After so long it is saved all the same: so much is repeated after a crash, and others see how far it is. */
const stepMsMax = 1000

export class ReactionSteps implements Stepper {
  readonly #options: ReactionOptions
  readonly #types: readonly string[]
  readonly #checkpoint: Checkpoint
  readonly #exclusive = new Exclusive()
  /** Whether what is known here may not be what is stored beside the checkpoint: it is then read before the next step. */
  #isStale = false
  readonly #rows = new ReactionRows()
  readonly #parked = new ParkedEvents()
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

  async prepare(): Promise<void> {}

  async refresh(): Promise<void> {}

  look(): Promise<void> {
    return this.#exclusive.run(() => {
      this.#isStale = true
      return this.#checkpoint.load()
    })
  }

  load(): Promise<void> {
    return this.#exclusive.run(() => this.#load())
  }

  beginBehind(position: number): Promise<void> {
    return this.#exclusive.run(async () => {
      await this.#load()
      await this.#checkpoint.beginBehind(position)
    })
  }

  save(): Promise<void> {
    return this.#exclusive.run(() => this.#checkpoint.flush())
  }

  step(signal: AbortSignal): Promise<StepResult> {
    return this.#exclusive.run(() => this.#step(signal))
  }

  parked(): Promise<readonly ParkedEvent[]> {
    return listParked(this.#options.store, this.#options.name)
  }

  retryParked(signal: AbortSignal): Promise<RetryResult> {
    return this.#exclusive.run(() => this.#retryParked(signal))
  }

  skipParked(position: number): Promise<void> {
    return this.#exclusive.run(async () => {
      for (let saved = false; !saved; ) {
        await this.#reload()
        const rows = this.#parked.rowsWithout(position)
        if (rows.length === 0) refuseUnknown(this.#options.name, position)
        saved = await this.#save(this.position, [...rows, ...this.#rows.handled(position)], true)
      }
    })
  }

  // -- one at a time -------------------------------------------------------------------------------------

  async #load(): Promise<void> {
    this.#isStale = true
    const { store, name } = this.#options
    await this.#checkpoint.load()
    await this.#rows.load(store, name)
    await this.#parked.load(store, name)
    this.#isStale = false
  }

  /** Goes to the stored checkpoint, which is brought to where this runner is: nobody sees it go back over what it has passed. */
  async #reload(): Promise<void> {
    await this.#checkpoint.flush()
    await this.#load()
  }

  /** Saves rows, and how far the log is handled; false if another runner was faster. */
  #save(position: number, rows: readonly Row[], atOnce: boolean): Promise<boolean> {
    return this.#saving.run(async () => {
      if (!(await this.#checkpoint.advance(position, rows, atOnce))) return false
      this.#rows.apply(rows)
      this.#parked.apply(rows)
      return true
    })
  }

  async #step(signal: AbortSignal): Promise<StepResult> {
    const { store, environment } = this.#options
    if (this.#isStale) await this.#load()
    const before = this.position
    if (!(await this.#fireTimers(signal))) return this.#startOver()
    const range = { from: before + 1, to: Number.POSITIVE_INFINITY }
    const page = await store.readAll(range, { types: this.#types, limit: batchSize })
    const run = new EventRun(this.#options, this.#rows, this.#parked, (row) => this.#save(this.position, [row], true))
    await run.loadStates(page.events)
    // Who handles events with the states or the remembered rejections of another place sends other commands than the first time.
    if (page.events.length > 0 && !(await this.#checkpoint.isCurrent())) return this.#startOver()
    const end = environment.now() + stepMsMax
    let failure: ProjectionError | undefined
    let outage: unknown
    let isCut = false
    let position = page.examined
    let events = 0
    for (const stored of page.events) {
      const outcome = await run.handle(stored, signal).catch((error: unknown) => {
        outage = error
        return 'for later' as const
      })
      if (outcome !== 'handled') {
        failure = outcome === 'for later' ? undefined : outcome
        position = stored.position - 1
        break
      }
      events++
      isCut = environment.now() >= end && events < page.events.length
      if (!isCut) continue
      position = stored.position
      break
    }
    // What was handled is kept, also where the store failed behind it: else a store that fails often would let nothing through.
    if (!(await this.#save(position, run.rows, events > 0 || failure !== undefined))) return this.#startOver()
    if (failure !== undefined) throw failure
    if (outage !== undefined) throw outage
    const restMs = Math.max(0, this.#rows.nextDueAt - environment.now())
    return { events, caughtUp: (page.events.length < batchSize && !isCut) || signal.aborted, restMs }
  }

  /** Another runner was faster: go on from where it is. */
  async #startOver(): Promise<StepResult> {
    await this.#load()
    return { events: 0, caughtUp: false }
  }

  async #retryParked(signal: AbortSignal): Promise<RetryResult> {
    await this.#reload()
    const before = this.#parked.all
    const blocked = new Set<string>()
    for (const { position, keys, command } of before) {
      if (signal.aborted || !(await this.#options.keepLead())) break
      if (command !== undefined || keys.some((key) => blocked.has(key))) {
        for (const key of keys) blocked.add(key)
        continue
      }
      const [stored] = await readEach(this.#options.store, [position])
      const run = new EventRun(this.#options, this.#rows, undefined, (row) => this.#save(this.position, [row], true))
      await run.loadStates([stored!])
      if (!(await areParked(this.#options.store, this.#options.name, [position]))) return this.#retryParked(signal)
      if (!(await run.attempt(stored!, signal))) for (const key of keys) blocked.add(key)
      else if (!(await this.#save(this.position, [unparkedRow(position), ...run.rows], true)))
        return this.#retryParked(signal)
    }
    // A scheduled command waits for its time again, which has come.
    await this.#save(this.position, this.#parked.timerRows(), true)
    const parked = this.#parked.all.length
    return { handled: before.length - parked, parked }
  }

  // -- scheduled commands ------------------------------------------------------------------------------------

  /** Sends what is due, in the order in which it is due; says whether this runner is still the one. */
  async #fireTimers(signal: AbortSignal): Promise<boolean> {
    const now = this.#options.environment.now()
    const due = [...this.#rows.timers].filter(([, { dueAt }]) => dueAt <= now).sort(([, a], [, b]) => a.dueAt - b.dueAt)
    for (const [key, { command }] of due) {
      if (signal.aborted) return true
      const rows = await this.#fire(key, command as unknown as PlainCommand)
      if (!(await this.#save(this.position, [withoutTimer(key), ...rows], true))) return false
    }
    return true
  }

  /** Sends a scheduled command. One that can never be sent is treated like an event that can never be handled. */
  async #fire(key: string, command: PlainCommand): Promise<readonly Row[]> {
    const { reaction, dispatch, store, environment } = this.#options
    try {
      await dispatch(command)
      return []
    } catch (cause) {
      if (!isHopeless(cause)) throw cause
      const what = `the scheduled command ${command.name} on ${command.aggregate} ${JSON.stringify(command.id)}`
      const { giveUp } = reaction.policy
      if (giveUp === 'stop') throw failureOf(this.#options, this.position, what, cause)
      warnOf(this.#options, giveUp, what, cause)
      if (giveUp === 'skip') return []
      const [event] = await readEach(store, [positionOfTimer(key)])
      const { dueAt } = this.#rows.timers.get(key)!
      const scheduled = { key, dueAt, command: command as unknown as JsonObject }
      return [parkedRow(event!, [], reasonOf(cause), environment.now(), scheduled)]
    }
  }
}
