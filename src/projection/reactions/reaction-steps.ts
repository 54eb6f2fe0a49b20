/**
 * The steps of a reaction. A step sends the scheduled commands that are due, then handles the next events, several at
 * once if the reaction wants that. Its rows change together with its checkpoint. After a crash, work that was not saved
 * is repeated. The ids of the commands are derived from the event's position and the command's name, so the repetition
 * has no second effect.
 *
 * A step ends after a while even if events are still in progress. They go on, and the next step saves their rows. The
 * lease is therefore kept and scheduled commands are sent, however long a handler takes.
 */
import { ProjectionError } from '../../domain/error.ts'
import type { AnyEventKind } from '../../domain/event.ts'
import type { Fence } from '../../kernel/dispatch-options.ts'
import { Bell } from '../../runtime/bell.ts'
import { Breath } from '../../runtime/breath.ts'
import type { LogPlace, Row, StoredEvent } from '../../store/store.ts'
import { Bookmark } from '../checkpoint/bookmark.ts'
import type { UnderWay } from '../checkpoint/bookmark-options.ts'
import { Recognition } from '../checkpoint/recognition.ts'
import type { StepResult } from '../checkpoint/step.ts'
import type { Stepper } from '../checkpoint/stepper.ts'
import { Overtaken } from '../failures/blame.ts'
import { beforeNewer, refuseNewer } from '../failures/newer-events.ts'
import { Growth } from '../log/growth.ts'
import { readEach } from '../log/read-each.ts'
import { behindKey, isParkedUpTo, type ParkedEvent, unparkedRow, wasPassedOver } from '../stored/parked-events.ts'
import { isKeyed, isTimerUpTo } from '../stored/timer-row.ts'
import { DueCommands } from './due-commands.ts'
import { EventFlow } from './event-flow.ts'
import { EventRun, type RunContext } from './event-run.ts'
import { replacingTimers } from './keyed-timers.ts'
import type { ReactionStepsOptions } from './reaction-call.ts'
import { isAnswerUpTo, isState, ReactionRows } from './reaction-rows.ts'
import { ReactionStates } from './reaction-states.ts'

/** The number of events that are read at once, and handled between two saves of the checkpoint. */
const batchSize = 100
/** The longest time between two saves. A crash repeats at most that much, and other processes see how far it is. */
const stepMsMax = 1000

/** The result of the events of a step. */
interface Handled {
  /** The number of events that were saved. */
  readonly events: number
  /** Whether everything in the log is handled. */
  readonly isOver: boolean
}

export class ReactionSteps implements Stepper {
  readonly #options: ReactionStepsOptions
  readonly #rows: ReactionRows
  readonly bookmark: Bookmark
  readonly retrySize = 1
  readonly #context: RunContext
  readonly #flow: EventFlow
  readonly #due: DueCommands
  readonly #breath: Breath
  /** `othersLed` of the bookmark at the last warning of events that were passed over. */
  #warnedIn: number | undefined
  /** Rings when there may be work within a step. */
  readonly #bell = new Bell()
  /** Events that were recorded before are passed over. */
  readonly #fromMs: number
  /** The last place that was read, if it is after the checkpoint. */
  #read: LogPlace | undefined

  constructor(options: ReactionStepsOptions) {
    const { name, reaction, kinds, store, environment, warn, lead } = options
    this.#options = options
    this.#fromMs = reaction.beginning instanceof Date ? reaction.beginning.getTime() : Number.NEGATIVE_INFINITY
    this.#breath = new Breath(environment)
    this.#rows = new ReactionRows(() => lead.tries.commandsOver())
    const recognition = new Recognition({
      name,
      kinds,
      store,
      warn,
      functionsOf: ({ handle }) => [reaction.memory?.initial, reaction.memory?.key, handle],
      coverage: 'onward',
    })
    const underWay = this.#underWay
    const isKept = ({ key, value }: Row, position: number) =>
      isState(key) ||
      // It says which timer has a key, so it goes with that timer.
      (isKeyed(key) && typeof value === 'string' && isTimerUpTo(value, position)) ||
      isAnswerUpTo(key, position) ||
      isTimerUpTo(key, position) ||
      isParkedUpTo(key, position)
    this.bookmark = new Bookmark({ name, store, environment, lead, recognition, isKept, rows: this.#rows, underWay })
    this.#context = {
      options,
      rows: this.#rows,
      states: new ReactionStates(),
      fence: this.#fence,
      keep: (row, isCut) => this.bookmark.keep([row], 'durably', isCut),
    }
    this.#flow = new EventFlow({
      context: this.#context,
      parked: this.bookmark.parked,
      concurrency: reaction.concurrency,
      breath: this.#breath,
      loadStates: (keys) => store.loadRows(name, keys),
      onEnd: () => this.#bell.ring(),
    })
    const { timers } = this.#rows
    this.#due = new DueCommands({ options, timers, bookmark: this.bookmark, fence: this.#fence, breath: this.#breath })
  }

  /** The events that are in progress here. */
  get flow(): Pick<EventFlow, 'unfinished' | 'isDone'> {
    return this.#flow
  }

  async prepare(): Promise<void> {}

  async retry([one]: readonly ParkedEvent[], blocks: (key: string) => boolean, signal: AbortSignal): Promise<boolean> {
    const { position, command, keys } = one!
    if (command === undefined) return keys.some(blocks) || this.#handleParked(position, (run) => run.attempt(signal))
    // A scheduled command becomes a timer again, which is already due.
    return this.bookmark.keep(this.bookmark.parked.timerRows(position))
  }

  async step(signal: AbortSignal): Promise<StepResult | undefined> {
    const fired = await this.#due.fire(signal, stepMsMax)
    if (fired === 'overtaken') return undefined
    const passedOver = await this.#handlePassedOver(signal)
    if (passedOver === 'overtaken') return undefined
    if (passedOver === 'some') return { events: 0, caughtUp: signal.aborted }
    const dueMs = fired === 'all' ? await this.#due.restMs() : Number.POSITIVE_INFINITY
    const handled = await this.#handle(signal, Math.min(stepMsMax, dueMs))
    if (handled === undefined) return undefined
    const { events, isOver } = handled
    return { events, caughtUp: (isOver && fired === 'all') || signal.aborted, restMs: await this.#due.restMs() }
  }

  // -- events ------------------------------------------------------------------------------------------------

  /** Handles events until nothing is left, or the time is over. Events in progress then go on. */
  async #handle(signal: AbortSignal, mostMs: number): Promise<Handled | undefined> {
    const { environment, tail, reaction } = this.#options
    const ring = () => this.#bell.ring()
    let isTimeOver = mostMs <= 0
    // The timer may ring a moment before its time by `elapsed`. So the ringing counts, not the clock.
    const onTime = () => {
      isTimeOver = true
      ring()
    }
    const cancel = environment.after(mostMs, onTime, { background: true })
    signal.addEventListener('abort', ring, { once: true })
    // With one event at a time, nothing could begin while another is in progress.
    const growth = reaction.concurrency > 1 ? new Growth(tail, ring) : undefined
    let events = 0
    let isAtEnd = false
    try {
      // Even if a scheduled command is due at once, some event begins.
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
    const { here } = this.bookmark
    return this.#read !== undefined && this.#read.position > here.position ? this.#read : here
  }

  /**
   * Reads and adds the next events. Returns `undefined` if this runner was overtaken. If the store fails, events in
   * progress still go on.
   */
  async #readMore(): Promise<{ readonly isAtEnd: boolean } | undefined> {
    const { store, kinds } = this.#options
    const behind = this.#readUpTo
    try {
      const range = { from: behind.position + 1, to: Number.POSITIVE_INFINITY }
      const limit = Math.min(batchSize, this.#flow.room)
      const read = await store.readAll(range, { ...kinds.filters, limit, behind })
      const examined = read.examined > behind.position ? { position: read.examined, checksum: read.checksum } : behind
      const events = kinds.among(read.events).filter(({ recordedAt }) => recordedAt >= this.#fromMs)
      const page = beforeNewer({ events, examined, isLast: read.isLast }, this.#kindOf)
      // With the states or stored answers of a later checkpoint, the handler would send other commands than the first
      // time.
      if (!(await this.#flow.add(page.events, () => this.bookmark.isCurrent()))) return undefined
      this.#read = page.examined
      return { isAtEnd: page.isLast }
    } catch (error) {
      // Handled events are saved. Otherwise a store that fails often would allow no progress.
      if ((await this.#saveDone()) === undefined) return undefined
      throw error
    }
  }

  /** Saves the first events that are done. Returns their number, or `undefined` if this runner was overtaken. */
  async #saveDone(): Promise<number | undefined> {
    const { count, last, rows } = this.#flow.done()
    const all = await this.#replacing(rows)
    const saved = await this.bookmark.save(this.#doneUpTo(count, last), all, count > 0 ? 'now' : 'soon')
    if (!saved || this.#flow.isOvertaken) return undefined
    this.#flow.saved(count)
    return count
  }

  /**
   * Goes back to the place where the flow has ended, if it has. Later events are read again.
   *
   * @returns false if this runner was overtaken
   * @throws the error that has ended it
   */
  async #end(): Promise<boolean> {
    const { end } = this.#flow
    if (end === undefined) return true
    const isStop = end.thrown instanceof ProjectionError
    if (isStop && !(await this.bookmark.saveBefore(end.event.position, []))) return false
    this.#forget()
    if ('thrown' in end) throw end.thrown
    return true
  }

  /** The last place up to which nothing is left when the first `count` events are done. */
  #doneUpTo(count: number, last: LogPlace | undefined): LogPlace {
    const to = last ?? this.bookmark.here
    const isAll = count === this.#flow.size
    return isAll && this.#read !== undefined && this.#read.position > to.position ? this.#read : to
  }

  readonly #underWay: UnderWay = {
    save: async () => (await this.#saveDone()) !== undefined,
    finish: async () => {
      await this.#flow.idle()
      const isCurrent = (await this.#saveDone()) !== undefined
      // Events that have not begun are read again.
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

  /**
   * Handles events that an earlier program passed over, as the policy says, and no later events meanwhile. `some`:
   * there are more than one step may handle.
   */
  async #handlePassedOver(signal: AbortSignal): Promise<'all' | 'some' | 'overtaken'> {
    const { environment, lead } = this.#options
    const end = environment.elapsed() + stepMsMax
    for (;;) {
      const next = this.#nextPassedOver()
      if (next === undefined) return 'all'
      if (signal.aborted || environment.elapsed() >= end) return 'some'
      await this.#breath.pause()
      this.#warnOfPassedOver()
      // Events with a common key are handled one after the other, so nothing may be in progress.
      if (!((await this.#underWay.finish()) && (await lead.keepLead()))) return 'overtaken'
      const { position } = next
      const isHandled = await this.#handleParked(position, async (run) => {
        const behind = run.keys.waitsFor.find((key) => this.bookmark.parked.blocks(key))
        if (behind !== undefined) {
          run.park(behindKey(behind))
          return 'done'
        }
        const ended = await run.handle(signal)
        if (typeof ended !== 'string') throw ended.thrown
        return ended
      })
      if (!isHandled) return 'overtaken'
      if (!this.bookmark.parked.holds(position)) lead.tries.over(position)
    }
  }

  /** The first event that was passed over and that this program handles. */
  #nextPassedOver(): ParkedEvent | undefined {
    for (const event of this.bookmark.parked.passedOver()) {
      if (this.#options.kinds.of(event) !== undefined) return event
    }
    return undefined
  }

  #warnOfPassedOver(): void {
    const { othersLed, parked } = this.bookmark
    if (this.#warnedIn === othersLed) return
    const { name, warn, kinds } = this.#options
    const isNew = (event: ParkedEvent) => wasPassedOver(event) && kinds.of(event) !== undefined
    const count = [...parked.passedOver()].filter(isNew).length
    if (count === 0) return
    this.#warnedIn = othersLed
    const what = count === 1 ? 'one event' : `${count} events`
    const message = `The ${name} now handles ${what} that a program which does not handle such events passed over`
    warn({ code: 'REACTION_PASSED_OVER', message })
  }

  /**
   * Handles a parked event with `handle`, and saves the rows if it is done. Returns false if this runner was overtaken.
   */
  async #handleParked(
    position: number,
    handle: (run: EventRun) => Promise<'done' | 'failed' | 'later' | 'overtaken'>,
  ): Promise<boolean> {
    const { store, name } = this.#options
    const [stored] = await readEach(store, [position], this.bookmark.here)
    refuseNewer([stored!], this.#kindOf)
    const run = new EventRun(this.#context, stored!)
    const keys = run.stateKey === undefined ? [] : [run.stateKey]
    const { states } = this.#context
    await states.use(keys, (some) => store.loadRows(name, some))
    try {
      if (!(await this.bookmark.isCurrent())) return false
      const end = await handle(run)
      if (end !== 'done') return end !== 'overtaken'
      return await this.bookmark.keep(await this.#replacing([unparkedRow(position), ...run.rows], position))
    } finally {
      for (const key of keys) states.release(key)
    }
  }

  /** @param late the position of an event that is handled after later ones */
  #replacing(rows: readonly Row[], late?: number): Promise<readonly Row[]> {
    return replacingTimers(rows, (keys) => this.#options.store.loadRows(this.#options.name, keys), late)
  }

  readonly #kindOf = (event: StoredEvent): AnyEventKind | undefined => this.#options.kinds.of(event)?.kind

  /** Stops decisions for a runner that was overtaken. */
  readonly #fence: Fence = async () => {
    if (!(await this.bookmark.isCurrent())) throw new Overtaken()
    return undefined
  }
}
