/**
 * Events of a reaction that are under way: so many at once, one after the other where they have a key in common. They
 * are kept in the order of the log until they are saved, which they are from the first one on as far as all are done:
 * what an event leaves is never saved before what those before it leave. So the checkpoint is the last position up to
 * which all is done, and after a crash everything behind it is handled again, from the same states and with the same
 * answers.
 *
 * If an event stops the reaction, or has to wait, those before it are still handled, and those behind it are cut.
 */
import type { Json } from '../../domain/json.ts'
import type { Breath } from '../../runtime/breath.ts'
import type { LogPlace, Row, StoredEvent } from '../../store/store.ts'
import { behindKey, type ParkedEvents } from '../stored/parked-events.ts'
import { EventRun, type RunContext, type RunEnd } from './event-run.ts'
import { Lanes } from './lanes.ts'

/** Events that are read, and not saved yet. */
const unsavedMax = 500

interface Slot {
  readonly number: number
  readonly run: EventRun
  isDone: boolean
}

/** Where all ends for now, and why if something was thrown. */
export interface FlowEnd {
  /** The event before which it ends. */
  readonly event: StoredEvent
  readonly thrown?: unknown
}

/** What the first events leave, which are done. */
export interface DoneEvents {
  readonly count: number
  /** The last of them. */
  readonly last: LogPlace | undefined
  readonly rows: readonly Row[]
}

export interface FlowOptions {
  readonly context: RunContext
  readonly parked: ParkedEvents
  /** How many events are handled at once. */
  readonly concurrency: number
  readonly breath: Breath
  readonly loadStates: (keys: readonly string[]) => Promise<readonly (Json | undefined)[]>
  /** Told of each event that is done, or ends otherwise. */
  readonly onEnd: () => void
}

export class EventFlow {
  readonly #options: FlowOptions
  readonly #lanes = new Lanes<Slot>()
  /** In the order of the log. */
  #slots: Slot[] = []
  #numbers = 0
  #doneCount = 0
  readonly #underWay = new Map<Slot, Promise<void>>()
  /** Keys of events that were parked here, as long as that is not saved. */
  readonly #blocked = new Map<string, number>()
  #end: (FlowEnd & { readonly number: number }) | undefined
  #isOvertaken = false

  constructor(options: FlowOptions) {
    this.#options = options
  }

  /** How many events are not saved. */
  get size(): number {
    return this.#slots.length
  }

  /** How many of the first ones are done. */
  get doneCount(): number {
    while (this.#slots[this.#doneCount]?.isDone === true) this.#doneCount++
    return this.#doneCount
  }

  get isBusy(): boolean {
    return this.#underWay.size > 0
  }

  /** How many events there is room for; 0 as long as what there is may still begin, or no more could begin. */
  get room(): number {
    const { concurrency } = this.#options
    if (this.#end !== undefined || this.#lanes.hasNext || this.#underWay.size >= concurrency) return 0
    return Math.max(0, Math.max(unsavedMax, 2 * concurrency) - this.size)
  }

  /** Whether another runner was found to be faster. */
  get isOvertaken(): boolean {
    return this.#isOvertaken
  }

  /** Where it ends, as soon as that is certain: nothing is under way, and everything before is done. */
  get end(): FlowEnd | undefined {
    const isCertain = !this.isBusy && this.#slots[this.doneCount]?.number === this.#end?.number
    return isCertain ? this.#end : undefined
  }

  /**
   * Takes events on that come next in the log, with the states that they use.
   *
   * @param isCurrent asked when the states are read: if it says no they are those of another place, and none of the
   *   events is taken on
   * @returns what it says
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

  /** Begins to handle what may begin. */
  begin(signal: AbortSignal): void {
    while (!this.#isOvertaken && this.#underWay.size < this.#options.concurrency) {
      const slot = this.#lanes.next()
      if (slot === undefined) return
      // Nothing behind the end is begun, and all that waits is behind this one.
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

  /** What the first events leave, as far as they are done: each row as the last of them has left it. */
  done(): DoneEvents {
    const done = this.#slots.slice(0, this.doneCount)
    const rows = new Map<string, Row>()
    for (const { run } of done) for (const row of run.rows) rows.set(row.key, row)
    return { count: done.length, last: done.at(-1)?.run.stored, rows: [...rows.values()] }
  }

  /** So many of the first events are saved. */
  saved(count: number): void {
    for (const { run } of this.#slots.splice(0, count)) {
      if (run.stateKey !== undefined) this.#options.context.states.release(run.stateKey)
      if (run.isParked) for (const key of run.keys.holds) this.#block(key, -1)
    }
    this.#doneCount -= count
  }

  /** Waits until nothing is under way. */
  async idle(): Promise<void> {
    while (this.isBusy) await Promise.all(this.#underWay.values())
  }

  /** Cuts what is under way: nothing that it does from here on has an effect. */
  cut(): void {
    for (const { run } of this.#underWay.keys()) run.cut()
  }

  /** Cuts what is under way, waits for its end, and forgets all. */
  async giveUp(): Promise<void> {
    this.cut()
    await this.idle()
    this.clear()
  }

  /** Forgets all. Nothing may be under way. */
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
