/**
 * How a reaction goes forward: a step sends the scheduled commands that are due, then handles the next events, several at once if that is
 * wanted. What it keeps changes together with its checkpoint. A crash in between repeats what was not saved yet; the ids of
 * the commands, which follow from the event's position and the command's name, make the repetition harmless.
 *
 * A step ends after a while though events are still under way: they go on, and the next step saves what they leave. So the lease is kept
 * and scheduled commands are sent, however long a handler takes.
 */
import { ProjectionError } from '../domain/error.ts'
import type { AnyEventKind } from '../domain/event.ts'
import { Breath } from '../kernel/breath.ts'
import type { LogPlace, StoredEvent } from '../store/store.ts'
import { Bell } from './bell.ts'
import { Overtaken } from './blame.ts'
import { DueCommands } from './due-commands.ts'
import { EventFlow } from './event-flow.ts'
import { EventRun, type RunContext } from './event-run.ts'
import { Growth } from './growth.ts'
import { beforeNewer, refuseNewer } from './newer-events.ts'
import { isParkedUpTo, type ParkedEvent, unparkedRow } from './parked-events.ts'
import { Place } from './place.ts'
import type { UnderWay } from './place-options.ts'
import type { ReactionStepsOptions } from './reaction-call.ts'
import { isState, ReactionRows } from './reaction-rows.ts'
import { ReactionStates } from './reaction-states.ts'
import { readEach } from './read-each.ts'
import { Recognition } from './recognition.ts'
import type { RetryResult, Stepper, StepResult } from './stepper.ts'
import { isTimerUpTo } from './timers.ts'

/** Events that are read at once, and handled between two savings of the checkpoint. */
const batchSize = 100
/** After so long it is saved all the same: so much is repeated after a crash, and others see how far it is. */
const stepMsMax = 1000

/** What the events of a step came to. */
interface Handled {
  /** How many were saved. */
  readonly events: number
  /** Whether nothing is left of what was in the log. */
  readonly isOver: boolean
}

export class ReactionSteps implements Stepper {
  readonly #options: ReactionStepsOptions
  readonly #rows: ReactionRows
  readonly #place: Place
  readonly #context: RunContext
  readonly #flow: EventFlow
  readonly #due: DueCommands
  readonly #breath: Breath
  /** What was passed over and has been told. */
  #warnedOf: readonly number[] = []
  /** Rings when there may be something to do within a step. */
  readonly #bell = new Bell()
  /** The last place that was read, if something behind the checkpoint was. */
  #read: LogPlace | undefined

  constructor(options: ReactionStepsOptions) {
    const { name, reaction, kinds, store, environment, warn, lead } = options
    this.#options = options
    this.#breath = new Breath(environment)
    this.#rows = new ReactionRows(() => lead.tries.commandsOver())
    const recognition = new Recognition({
      ...{ name, kinds, store, warn },
      functionsOf: ({ handle }) => [reaction.memory?.initial, reaction.memory?.key, handle],
      coverage: 'onward',
    })
    const underWay = this.#underWay
    const isKept = (key: string, position: number) =>
      isState(key) || isTimerUpTo(key, position) || isParkedUpTo(key, position)
    this.#place = new Place({ name, store, environment, lead, recognition, isKept, rows: this.#rows, underWay })
    this.#context = {
      ...{ options, rows: this.#rows, states: new ReactionStates(), fence: this.#fence },
      keep: (row, isCut) => this.#place.keep([row], 'durably', isCut),
    }
    this.#flow = new EventFlow({
      ...{ context: this.#context, parked: this.#place.parked, concurrency: reaction.concurrency },
      breath: this.#breath,
      loadStates: (keys) => store.loadRows(name, keys),
      onEnd: () => this.#bell.ring(),
    })
    const { timers } = this.#rows
    this.#due = new DueCommands({ options, timers, place: this.#place, fence: this.#fence, breath: this.#breath })
  }

  // What is the same for every stepper.
  readonly look = (): Promise<void> => this.#place.look()
  readonly takeOver = (): Promise<void> => this.#place.takeOver()
  readonly refresh = (): Promise<void> => this.#place.refresh()
  readonly beginBehind = (position: number): Promise<void> => this.#place.beginBehind(position)
  readonly save = (): Promise<void> => this.#place.flush()
  readonly end = (): Promise<void> => this.#place.end()
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
        return this.#place.keep(this.#place.parked.timerRows(position))
      },
    })
  }

  skipParked(position: number): Promise<boolean> {
    return this.#place.skipParked(position, () => this.#rows.handled(position))
  }

  reset(position: number, keep: boolean): Promise<boolean> {
    return this.#place.reset(position, keep)
  }

  async #step(signal: AbortSignal): Promise<StepResult | undefined> {
    if (!(await this.#handlePassedOver(signal))) return undefined
    const fired = await this.#due.fire(signal, stepMsMax)
    if (fired === 'overtaken') return undefined
    const dueMs = fired === 'all' ? await this.#due.restMs() : Number.POSITIVE_INFINITY
    const handled = await this.#handle(signal, Math.min(stepMsMax, dueMs))
    if (handled === undefined) return undefined
    const { events, isOver } = handled
    return { events, caughtUp: (isOver && fired === 'all') || signal.aborted, restMs: await this.#due.restMs() }
  }

  // -- events ------------------------------------------------------------------------------------------------

  /** Handles events until nothing is left, or the time is over; what is under way then goes on. */
  async #handle(signal: AbortSignal, mostMs: number): Promise<Handled | undefined> {
    const { environment, tail, reaction } = this.#options
    const ring = () => this.#bell.ring()
    let isTimeOver = mostMs <= 0
    // Its clock may say a moment less than the time for which it was set. There is only one: that it has rung is what counts.
    const onTime = () => {
      isTimeOver = true
      ring()
    }
    const cancel = environment.after(mostMs, onTime, { background: true })
    signal.addEventListener('abort', ring, { once: true })
    // One at a time, nothing could begin while another is under way.
    const growth = reaction.concurrency > 1 ? new Growth(tail, ring) : undefined
    let events = 0
    let isAtEnd = false
    try {
      // However soon a scheduled command is due, something begins.
      for (let isOver = signal.aborted; ; isOver = signal.aborted || isTimeOver) {
        await this.#breath.pause()
        if (this.#flow.doneCount >= batchSize) {
          const saved = await this.#saveDone()
          if (saved === undefined) return undefined
          events += saved
        }
        if (growth?.hasGrown) isAtEnd = false
        if (!isOver && !isAtEnd && this.#flow.room > 0) {
          growth?.mark()
          const read = await this.#readMore()
          if (read === undefined) return undefined
          isAtEnd = read.isAtEnd
        }
        if (!isOver) this.#flow.begin(signal)
        const mayRead = !isOver && !isAtEnd && this.#flow.room > 0
        if (mayRead) continue
        if (!this.#flow.isBusy || (isOver && !signal.aborted)) break
        if (this.#flow.room > 0) growth?.watch(() => this.#readUpTo.position)
        await this.#bell.wait()
      }
      const saved = await this.#saveDone()
      const isOver = isAtEnd && this.#flow.size === 0
      if (saved === undefined || !(await this.#end())) return undefined
      return { events: events + saved, isOver }
    } finally {
      cancel()
      signal.removeEventListener('abort', ring)
      growth?.close()
    }
  }

  get #readUpTo(): LogPlace {
    const { here } = this.#place
    return this.#read !== undefined && this.#read.position > here.position ? this.#read : here
  }

  /** Takes the next events on; gives nothing if another runner was faster. If the store fails, what is under way goes on all the same. */
  async #readMore(): Promise<{ readonly isAtEnd: boolean } | undefined> {
    const { store, kinds } = this.#options
    const behind = this.#readUpTo
    try {
      const range = { from: behind.position + 1, to: Number.POSITIVE_INFINITY }
      const limit = Math.min(batchSize, this.#flow.room)
      const read = await store.readAll(range, { ...kinds.filters, limit, behind })
      const examined = read.examined > behind.position ? { position: read.examined, checksum: read.checksum } : behind
      const page = beforeNewer({ events: kinds.among(read.events), examined, isLast: read.isLast }, this.#kindOf)
      // Who handles events with the states or the remembered answers of another place sends other commands than the first time.
      if (!(await this.#flow.add(page.events, () => this.#place.isCurrent()))) return undefined
      this.#read = page.examined
      return { isAtEnd: page.isLast }
    } catch (error) {
      // What was handled is kept: else a store that fails often would let nothing through.
      if ((await this.#saveDone()) === undefined) return undefined
      throw error
    }
  }

  /** Saves what is done, as far as all before it is; gives how many events that were, or nothing if another runner was faster. */
  async #saveDone(): Promise<number | undefined> {
    const { count, last, rows } = this.#flow.done()
    const saved = await this.#place.save(this.#doneUpTo(count, last), rows, count > 0 ? 'now' : 'soon')
    if (!saved || this.#flow.isOvertaken) return undefined
    this.#flow.saved(count)
    return count
  }

  /**
   * Goes back to the place where the flow has ended, if it has: what is behind is read again.
   *
   * @returns false if another runner was faster
   * @throws what has ended it
   */
  async #end(): Promise<boolean> {
    const { end } = this.#flow
    if (end === undefined) return true
    const isStop = end.thrown instanceof ProjectionError
    if (isStop && !(await this.#place.saveBefore(end.event.position, []))) return false
    this.#forget()
    if ('thrown' in end) throw end.thrown
    return true
  }

  /** The last place up to which nothing is left, if so many events are done. */
  #doneUpTo(count: number, last: LogPlace | undefined): LogPlace {
    const to = last ?? this.#place.here
    const isAll = count === this.#flow.size
    return isAll && this.#read !== undefined && this.#read.position > to.position ? this.#read : to
  }

  readonly #underWay: UnderWay = {
    save: async () => (await this.#saveDone()) !== undefined,
    finish: async () => {
      await this.#flow.idle()
      const isCurrent = (await this.#saveDone()) !== undefined
      // What was not begun is read again.
      this.#forget()
      return isCurrent
    },
    cut: () => this.#flow.cut(),
    giveUp: async () => {
      await this.#flow.giveUp()
      this.#forget()
    },
  }

  #forget(): void {
    this.#flow.clear()
    this.#read = undefined
  }

  /** Handles what a program of before has passed over; what fails stays parked. False if another runner was faster. */
  async #handlePassedOver(signal: AbortSignal): Promise<boolean> {
    const { passedOver, parked } = this.#place
    if (passedOver.length === 0) return true
    // Events with one key are handled one after the other, so nothing may be under way.
    if (!(await this.#underWay.finish())) return false
    const { environment, warn, name, lead } = this.#options
    const end = environment.elapsed() + stepMsMax
    if (this.#warnedOf !== passedOver) {
      this.#warnedOf = passedOver
      const count = passedOver.length === 1 ? 'One event' : `${passedOver.length} events`
      const message = `${count} that the ${name} handles: passed over by a program that does not handle such events, and handled now`
      warn({ code: 'REACTION_PASSED_OVER', message })
    }
    while (passedOver.length > 0 && !signal.aborted && environment.elapsed() < end) {
      if (!(await lead.keepLead())) return false
      const [position] = passedOver
      if (parked.holds(position!) && !(await this.#retry(position!, signal))) return false
      passedOver.shift()
    }
    return true
  }

  /** Handles a parked event once more; false if another runner was faster. */
  async #retry(position: number, signal: AbortSignal): Promise<boolean> {
    const { store, name } = this.#options
    const [stored] = await readEach(store, [position], this.#place.here)
    refuseNewer([stored!], this.#kindOf)
    const run = new EventRun(this.#context, stored!)
    const keys = run.stateKey === undefined ? [] : [run.stateKey]
    const { states } = this.#context
    await states.use(keys, (some) => store.loadRows(name, some))
    try {
      if (!(await this.#place.isCurrent())) return false
      const end = await run.attempt(signal)
      if (end !== 'done') return end !== 'overtaken'
      return await this.#place.keep([unparkedRow(position), ...run.rows])
    } finally {
      for (const key of keys) states.release(key)
    }
  }

  readonly #kindOf = (event: StoredEvent): AnyEventKind | undefined => this.#options.kinds.of(event)?.kind

  /** Nothing is decided any more for a runner that was overtaken. */
  readonly #fence = async (): Promise<void> => {
    if (!(await this.#place.isCurrent())) throw new Overtaken()
  }
}
