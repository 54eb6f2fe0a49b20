/**
 * How a reaction goes forward: a step sends the scheduled commands that are due, then handles the next events one after the
 * other. What it keeps changes together with its checkpoint. A crash in between repeats what was not saved yet; the ids of
 * the commands, which follow from the event's position and the command's name, make the repetition harmless.
 */
import { ProjectionError } from '../domain/error.ts'
import type { AnyEventKind } from '../domain/event.ts'
import type { PlainCommand } from '../domain/plain-command.ts'
import { Breath } from '../kernel/breath.ts'
import type { LogPlace, Row, StoredEvent } from '../store/store.ts'
import { isHopeless, Overtaken } from './blame.ts'
import { EventRun, failureOf, warnOf, warnOfRefused } from './event-run.ts'
import { beforeNewer, type Looked, refuseNewer } from './newer-events.ts'
import { isParkedUpTo, type ParkedEvent, type ParkedEvents, parkedRow, reasonOf, unparkedRow } from './parked-events.ts'
import { Place } from './place.ts'
import type { ReactionOptions } from './reaction-call.ts'
import { isState, ReactionRows } from './reaction-rows.ts'
import { readEach } from './read-each.ts'
import { Recognition } from './recognition.ts'
import type { RetryResult, Stepper, StepResult } from './stepper.ts'
import { isTimerUpTo, positionOfTimer, type WaitingTimer } from './timers.ts'

/** Events handled between two savings of the checkpoint. */
const batchSize = 100
/** After so long it is saved all the same: so much is repeated after a crash, and others see how far it is. */
const stepMsMax = 1000

/** How far the events of a page were handled. */
interface Advance {
  /** How many of them. */
  readonly events: number
  /** The last place up to which nothing is left. */
  readonly to: LogPlace
  /** Whether there may be more of them. */
  readonly isCut: boolean
  /** What was thrown by the event behind, or by the store. */
  readonly thrown?: unknown
}

/** Which of the commands that were due were sent: all, or some since the time of a step was over or another runner was faster. */
type Fired = 'all' | 'some' | 'overtaken'

export class ReactionSteps implements Stepper {
  readonly #options: ReactionOptions
  readonly #rows = new ReactionRows()
  readonly #place: Place
  readonly #breath: Breath

  constructor(options: ReactionOptions) {
    const { name, reaction, kinds, store, environment, warn, lead } = options
    this.#options = options
    this.#breath = new Breath(environment)
    const recognition = new Recognition({
      ...{ name, kinds, store, warn },
      functionsOf: ({ handle }) => [reaction.memory?.initial, reaction.memory?.key, handle],
      coverage: 'onward',
    })
    this.#place = new Place({ name, store, environment, lead, recognition, rows: this.#rows })
  }

  // What is the same for every stepper.
  readonly look = (): Promise<void> => this.#place.look()
  readonly takeOver = (): Promise<void> => this.#place.takeOver()
  readonly adopt = (): Promise<void> => this.#place.adopt()
  readonly refresh = (): Promise<void> => this.#place.refresh()
  readonly beginBehind = (position: number): Promise<void> => this.#place.beginBehind(position)
  readonly save = (): Promise<void> => this.#place.flush()
  readonly parked = (): Promise<readonly ParkedEvent[]> => this.#place.listParked()

  get position(): number {
    return this.#place.position
  }

  get place(): LogPlace {
    return this.#place.here
  }

  async prepare(): Promise<void> {}

  step(signal: AbortSignal): Promise<StepResult> {
    return this.#place.step(() => this.#step(signal))
  }

  retryParked(signal: AbortSignal): Promise<RetryResult | undefined> {
    return this.#place.retryParked(signal, {
      size: 1,
      attempt: async ([one], blocks) => {
        const { position, command, keys } = one!
        if (command === undefined) return keys.some(blocks) || this.#retry(position, signal)
        // A scheduled command waits for its time again, which has come.
        return this.#place.save(this.#place.here, this.#place.parked.timerRows(position))
      },
    })
  }

  skipParked(position: number): Promise<boolean> {
    return this.#place.skipParked(position, () => this.#rows.handled(position))
  }

  reset(position: number, keep: boolean): Promise<boolean> {
    const isKept = (key: string) => isState(key) || isTimerUpTo(key, position) || isParkedUpTo(key, position)
    return this.#place.reset(position, keep ? isKept : () => false)
  }

  // -- events ------------------------------------------------------------------------------------------------

  async #step(signal: AbortSignal): Promise<StepResult | undefined> {
    const { store, kinds } = this.#options
    const fired = await this.#fireTimers(signal)
    if (fired === 'overtaken') return undefined
    const { here } = this.#place
    const range = { from: here.position + 1, to: Number.POSITIVE_INFINITY }
    const read = await store.readAll(range, { ...kinds.filters, limit: batchSize, behind: here })
    const examined = read.examined > here.position ? { position: read.examined, checksum: read.checksum } : here
    const page = beforeNewer({ events: kinds.among(read.events), examined, isLast: read.isLast }, this.#kindOf)
    const run = this.#run(this.#place.parked)
    await run.loadStates(page.events)
    // Who handles events with the states or the remembered answers of another place sends other commands than the first time.
    if (page.events.length > 0 && !(await this.#place.isCurrent())) return undefined
    const { events, to, isCut, thrown } = await this.#handle(run, page, signal)
    // What was handled is kept, also where the store failed behind it: else a store that fails often would let nothing through.
    const saved =
      thrown instanceof ProjectionError
        ? await this.#place.saveBefore(page.events[events]!.position, run.rows)
        : await this.#place.save(to, run.rows, events > 0 ? 'now' : 'soon')
    if (!saved || run.isOvertaken) return undefined
    if (thrown !== undefined) throw thrown
    const isOver = page.isLast && !isCut && fired === 'all'
    return { events, caughtUp: isOver || signal.aborted, restMs: await this.#restMs() }
  }

  /** When the next scheduled command is due, in milliseconds from now. */
  async #restMs(): Promise<number> {
    const next = await this.#rows.timers.first()
    return Math.max(0, (next?.dueAt ?? Number.POSITIVE_INFINITY) - this.#options.environment.now())
  }

  /** Handles events until one is not handled, or the time of a step is over. */
  async #handle(run: EventRun, { events, examined }: Looked, signal: AbortSignal): Promise<Advance> {
    const { environment } = this.#options
    const end = environment.elapsed() + stepMsMax
    let to = this.#place.here
    for (const [i, event] of events.entries()) {
      await this.#breath.pause()
      try {
        if (!(await run.handle(event, signal))) return { events: i, to, isCut: true }
      } catch (thrown) {
        return { events: i, to, isCut: true, thrown }
      }
      to = event
      const isLast = i === events.length - 1
      if (!isLast && environment.elapsed() >= end) return { events: i + 1, to, isCut: true }
    }
    return { events: events.length, to: examined, isCut: false }
  }

  /** Handles a parked event once more; false if another runner was faster. */
  async #retry(position: number, signal: AbortSignal): Promise<boolean> {
    const { here } = this.#place
    const [stored] = await readEach(this.#options.store, [position], here)
    refuseNewer([stored!], this.#kindOf)
    const run = this.#run(undefined)
    await run.loadStates([stored!])
    if (!(await this.#place.isCurrent())) return false
    if (!(await run.attempt(stored!, signal))) return !run.isOvertaken
    return this.#place.save(here, [unparkedRow(position), ...run.rows])
  }

  readonly #kindOf = (event: StoredEvent): AnyEventKind | undefined => this.#options.kinds.of(event)?.kind

  /** @param parked what is parked already; without it nothing queues */
  #run(parked: ParkedEvents | undefined): EventRun {
    const keep = (row: Row) => this.#place.save(this.#place.here, [row], 'durably')
    return new EventRun(this.#options, this.#rows, parked, { keep, fence: this.#fence })
  }

  /** Nothing is decided any more for a runner that was overtaken. */
  readonly #fence = async (): Promise<void> => {
    if (!(await this.#place.isCurrent())) throw new Overtaken()
  }

  // -- scheduled commands ------------------------------------------------------------------------------------

  /** Sends what is due, in the order in which it is due, for as long as a step may last. */
  async #fireTimers(signal: AbortSignal): Promise<Fired> {
    const { environment } = this.#options
    const { timers } = this.#rows
    const now = environment.now()
    const end = environment.elapsed() + stepMsMax
    for (;;) {
      const next = await timers.first()
      if (next === undefined || next.dueAt > now) return 'all'
      if (signal.aborted || environment.elapsed() >= end) return 'some'
      await this.#breath.pause()
      const rows = await this.#fire(next)
      if (rows === undefined) return 'overtaken'
      if (!(await this.#place.save(this.#place.here, [{ key: next.key, value: undefined }, ...rows])))
        return 'overtaken'
    }
  }

  /**
   * Sends a scheduled command. One that can never be sent is treated like an event that can never be handled.
   *
   * @returns the rows that it leaves; nothing if another runner was faster
   */
  async #fire(timer: WaitingTimer): Promise<readonly Row[] | undefined> {
    const { reaction, dispatch, store, environment } = this.#options
    const command = timer.command as unknown as PlainCommand
    try {
      const outcome = await dispatch(command, this.#fence)
      if (!outcome.accepted) warnOfRefused(this.#options, command, outcome.rejection)
      return []
    } catch (cause) {
      if (cause instanceof Overtaken) return undefined
      if (!isHopeless(cause)) throw cause
      const what = `the scheduled command ${command.name} on ${command.aggregate} ${JSON.stringify(command.id)}`
      const { giveUp } = reaction.policy
      if (giveUp === 'stop') throw failureOf(this.#options, this.position, what, cause)
      warnOf(this.#options, giveUp, what, cause)
      if (giveUp === 'skip') return []
      const [event] = await readEach(store, [positionOfTimer(timer.key)], this.#place.here)
      return [parkedRow(event!, [], reasonOf(cause), environment.now(), timer)]
    }
  }
}
