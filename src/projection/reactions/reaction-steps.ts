/**
 * How a reaction goes forward: a step sends the scheduled commands that are due, then handles the next events, several
 * at once if that is wanted. What it keeps changes together with its checkpoint. A crash in between repeats what was
 * not saved yet; the ids of the commands, which follow from the event's position and the command's name, make the
 * repetition harmless.
 *
 * A step ends after a while though events are still under way: they go on, and the next step saves what they leave. So
 * the lease is kept and scheduled commands are sent, however long a handler takes.
 */
import { ProjectionError } from '../../domain/error.ts'
import type { AnyEventKind } from '../../domain/event.ts'
import { Bell } from '../../runtime/bell.ts'
import { Breath } from '../../runtime/breath.ts'
import type { LogPlace, StoredEvent } from '../../store/store.ts'
import { Bookmark } from '../checkpoint/bookmark.ts'
import type { UnderWay } from '../checkpoint/bookmark-options.ts'
import { Recognition } from '../checkpoint/recognition.ts'
import type { StepResult } from '../checkpoint/step.ts'
import type { Stepper } from '../checkpoint/stepper.ts'
import { Overtaken } from '../failures/blame.ts'
import { beforeNewer, refuseNewer } from '../failures/newer-events.ts'
import { Growth } from '../log/growth.ts'
import { readEach } from '../log/read-each.ts'
import { behindKey, isParkedUpTo, type ParkedEvent, unparkedRow } from '../stored/parked-events.ts'
import { isTimerUpTo } from '../stored/timer-row.ts'
import { DueCommands } from './due-commands.ts'
import { EventFlow } from './event-flow.ts'
import { EventRun, type RunContext } from './event-run.ts'
import type { ReactionStepsOptions } from './reaction-call.ts'
import { isState, ReactionRows } from './reaction-rows.ts'
import { ReactionStates } from './reaction-states.ts'

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
  readonly bookmark: Bookmark
  readonly retrySize = 1
  readonly #context: RunContext
  readonly #flow: EventFlow
  readonly #due: DueCommands
  readonly #breath: Breath
  /** How often others had led when what was passed over was told last. */
  #warnedIn: number | undefined
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
      name,
      kinds,
      store,
      warn,
      functionsOf: ({ handle }) => [reaction.memory?.initial, reaction.memory?.key, handle],
      coverage: 'onward',
    })
    const underWay = this.#underWay
    const isKept = (key: string, position: number) =>
      isState(key) || isTimerUpTo(key, position) || isParkedUpTo(key, position)
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

  async prepare(): Promise<void> {}

  async retry([one]: readonly ParkedEvent[], blocks: (key: string) => boolean, signal: AbortSignal): Promise<boolean> {
    const { position, command, keys } = one!
    if (command === undefined) return keys.some(blocks) || this.#handleParked(position, (run) => run.attempt(signal))
    // A scheduled command waits for its time again, which has come.
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

  /** Handles events until nothing is left, or the time is over; what is under way then goes on. */
  async #handle(signal: AbortSignal, mostMs: number): Promise<Handled | undefined> {
    const { environment, tail, reaction } = this.#options
    const ring = () => this.#bell.ring()
    let isTimeOver = mostMs <= 0
    // Its clock may say a moment less than the time for which it was set. There is only one: that it has rung is what
    // counts.
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
    const { here } = this.bookmark
    return this.#read !== undefined && this.#read.position > here.position ? this.#read : here
  }

  /**
   * Takes the next events on; gives nothing if another runner was faster. If the store fails, what is under way goes on
   * all the same.
   */
  async #readMore(): Promise<{ readonly isAtEnd: boolean } | undefined> {
    const { store, kinds } = this.#options
    const behind = this.#readUpTo
    try {
      const range = { from: behind.position + 1, to: Number.POSITIVE_INFINITY }
      const limit = Math.min(batchSize, this.#flow.room)
      const read = await store.readAll(range, { ...kinds.filters, limit, behind })
      const examined = read.examined > behind.position ? { position: read.examined, checksum: read.checksum } : behind
      const page = beforeNewer({ events: kinds.among(read.events), examined, isLast: read.isLast }, this.#kindOf)
      // Who handles events with the states or the remembered answers of another place sends other commands than the
      // first time.
      if (!(await this.#flow.add(page.events, () => this.bookmark.isCurrent()))) return undefined
      this.#read = page.examined
      return { isAtEnd: page.isLast }
    } catch (error) {
      // What was handled is kept: else a store that fails often would let nothing through.
      if ((await this.#saveDone()) === undefined) return undefined
      throw error
    }
  }

  /**
   * Saves what is done, as far as all before it is; gives how many events that were, or nothing if another runner was
   * faster.
   */
  async #saveDone(): Promise<number | undefined> {
    const { count, last, rows } = this.#flow.done()
    const saved = await this.bookmark.save(this.#doneUpTo(count, last), rows, count > 0 ? 'now' : 'soon')
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
    if (isStop && !(await this.bookmark.saveBefore(end.event.position, []))) return false
    this.#forget()
    if ('thrown' in end) throw end.thrown
    return true
  }

  /** The last place up to which nothing is left, if so many events are done. */
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

  /**
   * Handles what a program of before has passed over, as the policy says, and nothing behind it meanwhile: `some` if
   * there is more than what a step may take.
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
      // Events with one key are handled one after the other, so nothing may be under way.
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
    this.#warnedIn = othersLed
    const { name, warn, kinds } = this.#options
    const count = [...parked.passedOver()].filter((event) => kinds.of(event) !== undefined).length
    const what = count === 1 ? 'One event' : `${count} events`
    const message = `${what} that the ${name} handles: passed over by a program that does not handle such events, and handled now`
    warn({ code: 'REACTION_PASSED_OVER', message })
  }

  /**
   * Handles a parked event in some way, and saves what came of it if it is done; false if another runner was faster.
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
      return await this.bookmark.keep([unparkedRow(position), ...run.rows])
    } finally {
      for (const key of keys) states.release(key)
    }
  }

  readonly #kindOf = (event: StoredEvent): AnyEventKind | undefined => this.#options.kinds.of(event)?.kind

  /** Nothing is decided any more for a runner that was overtaken. */
  readonly #fence = async (): Promise<void> => {
    if (!(await this.bookmark.isCurrent())) throw new Overtaken()
  }
}
