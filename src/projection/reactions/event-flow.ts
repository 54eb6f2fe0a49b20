/**
 * The events of a reaction that are in progress. Several are handled at once; events with a common key are handled one
 * after the other. They are kept in the order of the log until they are saved: from the first one up to the first that
 * is not done. The rows of an event are therefore never saved before those of earlier events. The checkpoint is the
 * last position up to which everything is done. After a crash everything after it is handled again, with the same
 * states and the same answers.
 *
 * If an event stops the reaction or has to wait, the events before it are still handled, and those after it are cut.
 */
import type { Json } from '../../domain/json.ts'
import type { Breath } from '../../runtime/breath.ts'
import type { LogPlace, Row, StoredEvent } from '../../store/store.ts'
import { behindKey, type ParkedEvents } from '../stored/parked-events.ts'
import { EventRun, type RunContext, type RunEnd } from './event-run.ts'
import { Lanes } from './lanes.ts'

/** The number of events that may be read and not saved yet. */
const unsavedMax = 500

interface Slot {
  readonly number: number
  readonly run: EventRun
  isDone: boolean
}

/** Where the flow ends for now, and the error if there was one. */
export interface FlowEnd {
  /** The flow ends before this event. */
  readonly event: StoredEvent
  readonly thrown?: unknown
}

/** An event that is read and not done. */
export interface UnfinishedEvent {
  readonly position: number
  /** Whether its handler has begun. */
  readonly isRunning: boolean
  /** The position of the event for which it waits, if it waits for one. */
  readonly behind: number | undefined
  /** The names of the steps that its handler is doing now. */
  readonly stepsUnderWay: readonly string[]
}

/** The rows of the first events that are done. */
export interface DoneEvents {
  readonly count: number
  /** The place of the last of these events. */
  readonly last: LogPlace | undefined
  readonly rows: readonly Row[]
}

export interface FlowOptions {
  readonly context: RunContext
  readonly parked: ParkedEvents
  /** The number of events that are handled at once. */
  readonly concurrency: number
  readonly breath: Breath
  readonly loadStates: (keys: readonly string[]) => Promise<readonly (Json | undefined)[]>
  /** Called for each event that is done or ends in another way. */
  readonly onEnd: () => void
}

export class EventFlow {
  readonly #options: FlowOptions
  readonly #lanes = new Lanes<Slot>()
  /** All events that are not saved, in the order of the log. */
  #slots: Slot[] = []
  #numbers = 0
  #doneCount = 0
  readonly #underWay = new Map<Slot, Promise<void>>()
  /** Counts the events that were parked here and are not saved yet, by key. */
  readonly #blocked = new Map<string, number>()
  #end: (FlowEnd & { readonly number: number }) | undefined
  #isOvertaken = false

  constructor(options: FlowOptions) {
    this.#options = options
  }

  /** The number of events that are not saved. */
  get size(): number {
    return this.#slots.length
  }

  /** The number of first events that are done without a gap. */
  get doneCount(): number {
    while (this.#slots[this.#doneCount]?.isDone === true) this.#doneCount++
    return this.#doneCount
  }

  /** The events that are not done, in the order of the log. */
  get unfinished(): readonly UnfinishedEvent[] {
    const holders = new Map<string, number>()
    const found: UnfinishedEvent[] = []
    for (const slot of this.#slots) {
      if (slot.isDone) continue
      const { run } = slot
      const { position } = run.stored
      const behind = run.keys.waitsFor.map((key) => holders.get(key)).find((holder) => holder !== undefined)
      found.push({ position, isRunning: this.#underWay.has(slot), behind, stepsUnderWay: run.stepsUnderWay })
      for (const key of run.keys.holds) holders.set(key, position)
    }
    return found
  }

  /** Whether the event at a position is done, but not saved. */
  isDone(position: number): boolean {
    return this.#slots.some(({ run, isDone }) => isDone && run.stored.position === position)
  }

  get isBusy(): boolean {
    return this.#underWay.size > 0
  }

  /** The number of events that may be added. 0 while an event that is here may begin, or no more could begin. */
  get room(): number {
    const { concurrency } = this.#options
    if (this.#end !== undefined || this.#lanes.hasNext || this.#underWay.size >= concurrency) return 0
    return Math.max(0, Math.max(unsavedMax, 2 * concurrency) - this.size)
  }

  /** Whether this runner was overtaken. */
  get isOvertaken(): boolean {
    return this.#isOvertaken
  }

  /** Where it ends, as soon as that is certain: nothing is in progress, and everything before the end is done. */
  get end(): FlowEnd | undefined {
    const isCertain = !this.isBusy && this.#slots[this.doneCount]?.number === this.#end?.number
    return isCertain ? this.#end : undefined
  }

  /**
   * Adds the next events of the log, and reads the states that they use.
   *
   * @param isCurrent asked after the states are read; if false, they may belong to a later checkpoint, and no event is
   *   added
   * @returns the result of `isCurrent`
   */
  async add(events: readonly StoredEvent[], isCurrent: () => Promise<boolean>): Promise<boolean> {
    if (events.length === 0) return true
    const { context, breath, loadStates } = this.#options
    const runs: EventRun[] = []
    for (const event of events) {
      await breath.pause()
      runs.push(new EventRun(context, event))
    }
    const keys = runs.flatMap(({ stateKey }) => stateKey ?? [])
    await context.states.use(keys, loadStates)
    try {
      if (!(await isCurrent())) {
        for (const key of keys) context.states.release(key)
        return false
      }
    } catch (error) {
      for (const key of keys) context.states.release(key)
      throw error
    }
    for (const run of runs) {
      const slot = { number: this.#numbers++, run, isDone: false }
      this.#slots.push(slot)
      this.#lanes.add(slot, run.keys)
    }
    return true
  }

  /** Begins to handle events that may begin. */
  begin(signal: AbortSignal): void {
    while (!this.#isOvertaken && this.#underWay.size < this.#options.concurrency) {
      const slot = this.#lanes.next()
      if (slot === undefined) return
      // No event after the end begins. Events that wait for this one are after the end too.
      if (this.#end !== undefined && slot.number > this.#end.number) continue
      const { run } = slot
      const behind = run.keys.waitsFor.find((key) => this.#blocked.has(key) || this.#options.parked.blocks(key))
      if (behind !== undefined) {
        run.park(behindKey(behind))
        this.#settle(slot, 'done')
      } else {
        const ending = run.handle(signal).then((end) => this.#settle(slot, end))
        this.#underWay.set(slot, ending)
      }
    }
  }

  /** The rows of the first events that are done. If several events leave the same row, the last one counts. */
  done(): DoneEvents {
    const done = this.#slots.slice(0, this.doneCount)
    const rows = new Map<string, Row>()
    for (const { run } of done) for (const row of run.rows) rows.set(row.key, row)
    return { count: done.length, last: done.at(-1)?.run.stored, rows: [...rows.values()] }
  }

  /** Removes the first events, which are saved. */
  saved(count: number): void {
    for (const { run } of this.#slots.splice(0, count)) {
      if (run.stateKey !== undefined) this.#options.context.states.release(run.stateKey)
      if (run.isParked) for (const key of run.keys.holds) this.#block(key, -1)
    }
    this.#doneCount -= count
  }

  /** Waits until nothing is in progress. */
  async idle(): Promise<void> {
    while (this.isBusy) await Promise.all(this.#underWay.values())
  }

  /** Cuts the runs in progress. Nothing that they do from now on has an effect. */
  cut(): void {
    for (const { run } of this.#underWay.keys()) run.cut()
  }

  /** Cuts the runs in progress, waits for their end, and drops all events. */
  async giveUp(): Promise<void> {
    this.cut()
    await this.idle()
    this.clear()
  }

  /** Drops all events. Nothing may be in progress. */
  clear(): void {
    this.#slots = []
    this.#doneCount = 0
    this.#lanes.clear()
    this.#blocked.clear()
    this.#options.context.states.clear()
    this.#end = undefined
    this.#isOvertaken = false
  }

  #settle(slot: Slot, end: RunEnd): void {
    this.#underWay.delete(slot)
    const { run } = slot
    if (end === 'done') {
      slot.isDone = true
      if (run.isParked) for (const key of run.keys.holds) this.#block(key, 1)
      this.#options.context.options.lead.tries.over(run.stored.position)
      this.#lanes.done(slot)
    } else {
      if (end === 'overtaken') {
        this.#isOvertaken = true
        this.cut()
      }
      this.#endAt(slot.number, { event: run.stored, ...(typeof end === 'object' && end) })
    }
    this.#options.onEnd()
  }

  #endAt(number: number, end: FlowEnd): void {
    if (this.#end !== undefined && this.#end.number <= number) return
    this.#end = { ...end, number }
    for (const slot of this.#underWay.keys()) if (slot.number > number) slot.run.cut()
  }

  #block(key: string, by: number): void {
    const count = (this.#blocked.get(key) ?? 0) + by
    if (count > 0) this.#blocked.set(key, count)
    else this.#blocked.delete(key)
  }
}
