/**
 * How a reaction goes forward: a step sends the scheduled commands that are due, then handles the next events one after the
 * other. What it keeps changes together with its checkpoint. A crash in between repeats what was not saved yet; the ids of
 * the commands, which follow from the event's position and the command's name, make the repetition harmless.
 */
import { ProjectionError } from '../domain/error.ts'
import type { JsonObject } from '../domain/json.ts'
import type { PlainCommand } from '../domain/plain-command.ts'
import type { Page, Row } from '../store/store.ts'
import { EventRun, failureOf, warnOf } from './event-run.ts'
import { areParked, type ParkedEvent, type ParkedEvents, parkedRow, reasonOf, unparkedRow } from './parked-events.ts'
import { Place } from './place.ts'
import { isHopeless, type ReactionOptions } from './reaction-call.ts'
import { positionOfTimer, ReactionRows, withoutTimer } from './reaction-rows.ts'
import { readEach } from './read-each.ts'
import type { RetryResult, Stepper, StepResult } from './stepper.ts'

/** Events handled between two savings of the checkpoint. */
const batchSize = 100
/** After so long it is saved all the same: so much is repeated after a crash, and others see how far it is. */
const stepMsMax = 1000

/** How far the events of a page were handled. */
interface Advance {
  /** How many of them. */
  readonly events: number
  /** The last position up to which nothing is left. */
  readonly position: number
  /** Whether there may be more of them. */
  readonly isCut: boolean
  /** What was thrown by the event behind, or by the store. */
  readonly thrown?: unknown
}

export class ReactionSteps implements Stepper {
  readonly #options: ReactionOptions
  readonly #rows = new ReactionRows()
  readonly #place: Place

  /** @param onReached told each position up to which everything is handled */
  constructor(options: ReactionOptions, onReached: (position: number) => void) {
    const { name, store, keepLead } = options
    this.#options = options
    this.#place = new Place({ name, store, lead: { onReached, keepLead }, rows: this.#rows })
  }

  // What is the same for every stepper.
  readonly look = (): Promise<void> => this.#place.look()
  readonly load = (): Promise<void> => this.#place.load()
  readonly refresh = (): Promise<void> => this.#place.refresh()
  readonly beginBehind = (position: number): Promise<void> => this.#place.beginBehind(position)
  readonly save = (): Promise<void> => this.#place.flush()
  readonly parked = (): Promise<readonly ParkedEvent[]> => this.#place.listParked()

  get position(): number {
    return this.#place.position
  }

  async prepare(): Promise<void> {}

  step(signal: AbortSignal): Promise<StepResult> {
    return this.#place.step(() => this.#step(signal))
  }

  retryParked(signal: AbortSignal): Promise<RetryResult> {
    return this.#place.retryParked(signal, {
      size: 1,
      attempt: async ([one], blocks) =>
        one!.command !== undefined || one!.keys.some(blocks) || this.#retry(one!.position, signal),
      // A scheduled command waits for its time again, which has come.
      finish: () => this.#place.save(this.position, this.#place.parked.timerRows()),
    })
  }

  skipParked(position: number): Promise<void> {
    return this.#place.skipParked(position, () => this.#rows.handled(position))
  }

  // -- events ------------------------------------------------------------------------------------------------

  async #step(signal: AbortSignal): Promise<StepResult | undefined> {
    const { store, kinds, environment } = this.#options
    if (!(await this.#fireTimers(signal))) return undefined
    const range = { from: this.position + 1, to: Number.POSITIVE_INFINITY }
    const read = await store.readAll(range, { ...kinds.filters, limit: batchSize })
    const page = { ...read, events: kinds.among(read.events) }
    const run = this.#run(this.#place.parked)
    await run.loadStates(page.events)
    // Who handles events with the states or the remembered rejections of another place sends other commands than the first time.
    if (page.events.length > 0 && !(await this.#place.isCurrent())) return undefined
    const { events, position, isCut, thrown } = await this.#handle(run, page, signal)
    // What was handled is kept, also where the store failed behind it: else a store that fails often would let nothing through.
    const saved =
      thrown instanceof ProjectionError
        ? await this.#place.saveAtStop(position, run.rows)
        : await this.#place.save(position, run.rows, events > 0)
    if (!saved || run.isOvertaken) return undefined
    if (thrown !== undefined) throw thrown
    const restMs = Math.max(0, this.#rows.nextDueAt - environment.now())
    return { events, caughtUp: (read.events.length < batchSize && !isCut) || signal.aborted, restMs }
  }

  /** Handles events until one is not handled, or the time of a step is over. */
  async #handle(run: EventRun, { events, examined }: Page, signal: AbortSignal): Promise<Advance> {
    const { environment } = this.#options
    const end = environment.now() + stepMsMax
    for (const [i, { position }] of events.entries()) {
      try {
        if (!(await run.handle(events[i]!, signal))) return { events: i, position: position - 1, isCut: false }
      } catch (thrown) {
        return { events: i, position: position - 1, isCut: false, thrown }
      }
      const isLast = i === events.length - 1
      if (!isLast && environment.now() >= end) return { events: i + 1, position, isCut: true }
    }
    return { events: events.length, position: examined, isCut: false }
  }

  /** Handles a parked event once more; false if another runner was faster. */
  async #retry(position: number, signal: AbortSignal): Promise<boolean> {
    const { store } = this.#options
    const [stored] = await readEach(store, [position])
    const run = this.#run(undefined)
    await run.loadStates([stored!])
    if (!(await areParked(store, this.#place.storage, [position]))) return false
    if (!(await run.attempt(stored!, signal))) return !run.isOvertaken
    return this.#place.save(this.position, [unparkedRow(position), ...run.rows])
  }

  /** @param parked what is parked already; without it nothing queues */
  #run(parked: ParkedEvents | undefined): EventRun {
    return new EventRun(this.#options, this.#rows, parked, (row) => this.#place.save(this.position, [row]))
  }

  // -- scheduled commands ------------------------------------------------------------------------------------

  /** Sends what is due, in the order in which it is due; says whether this runner is still the one. */
  async #fireTimers(signal: AbortSignal): Promise<boolean> {
    const now = this.#options.environment.now()
    const due = [...this.#rows.timers].filter(([, { dueAt }]) => dueAt <= now).sort(([, a], [, b]) => a.dueAt - b.dueAt)
    for (const [key, { command }] of due) {
      if (signal.aborted) return true
      const rows = await this.#fire(key, command as unknown as PlainCommand)
      if (!(await this.#place.save(this.position, [withoutTimer(key), ...rows]))) return false
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
