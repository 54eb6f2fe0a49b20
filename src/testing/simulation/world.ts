/**
 * The world of a simulation: one time and one agenda for all processes, clients and the network between them. Whatever
 * happens is an entry of the agenda. After each entry all promises that can settle do so, before the next one happens;
 * no real timer runs. So the seed decides the whole run.
 */
import { turn } from '../../runtime/timers.ts'
import type { Random } from '../random.ts'
import { Agenda, type Entry, type Owner } from './agenda.ts'

const usPerMs = 1000
/** After so many entries the event loop handles what came meanwhile, such as a signal or a time limit of a test. */
const breathEvery = 100

const { nextTick } = process
const resolved = Promise.resolve()

export class World {
  readonly random: Random
  readonly #agenda: Pick<Agenda, 'add' | 'take'>
  readonly #lines: string[] = []
  #nowUs = 0
  #hash = 0x811c9dc5
  #count = 0

  /** @param agenda decides what happens next; by default what is due first */
  constructor(random: Random, agenda: Pick<Agenda, 'add' | 'take'> = new Agenda()) {
    this.random = random
    this.#agenda = agenda
  }

  /** Milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#nowUs / usPerMs
  }

  get nowUs(): number {
    return this.#nowUs
  }

  /** How many entries have happened. */
  get count(): number {
    return this.#count
  }

  /** A number over all entries that have happened: two runs with the same one were the same. */
  get hash(): number {
    return this.#hash
  }

  /** What was told, in order. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** Tells a reader of the transcript something. */
  tell(line: string): void {
    this.#lines.push(`${this.nowMs.toFixed(1).padStart(9)} ms  ${line}`)
  }

  /**
   * Lets something happen after a delay.
   *
   * @param owner the process that it happens in; without one it happens whatever becomes of the processes
   * @returns a function that cancels it
   */
  after(delayMs: number, label: string, run: () => void, owner?: Owner): () => void {
    const at = this.#nowUs + Math.max(0, Math.round(delayMs * usPerMs))
    const entry: Entry = { at, tie: this.random.next(), label, run, owner, isCancelled: false }
    this.#agenda.add(entry)
    return () => {
      entry.isCancelled = true
    }
  }

  /** A promise of the same. */
  pause(delayMs: number, label: string, owner?: Owner): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, label, resolve, owner)
    })
  }

  /**
   * Lets the world go on until something is so.
   *
   * @param mostMs the most that may pass
   * @returns whether it came to be so
   */
  run(isOver: () => boolean, mostMs: number): Promise<boolean> {
    const endUs = this.#nowUs + mostMs * usPerMs
    return new Promise((resolve, reject) => {
      // Called back rather than awaited, since there are thousands of entries.
      const goOn = () => {
        try {
          if (isOver()) return resolve(true)
          const entry = this.#next(endUs)
          if (entry === undefined) return resolve(false)
          // Another agenda may have let something later happen before it.
          this.#nowUs = Math.max(this.#nowUs, entry.at)
          this.#count++
          this.#note(entry.label)
          entry.run()
        } catch (error) {
          return reject(error)
        }
        if (this.#count % breathEvery === 0) void turn().then(goOn)
        else nextTick(afterTick)
      }
      // A tick comes when all promises that can settle have done so, and costs less than a turn of the event loop. The
      // next tick would come at once, so what happens is a promise's again.
      const afterTick = () => void resolved.then(goOn)
      void turn().then(goOn)
    })
  }

  /** Takes what happens next, unless that is later than `endUs`. */
  #next(endUs: number): Entry | undefined {
    for (;;) {
      const entry = this.#agenda.take()
      if (entry === undefined) return undefined
      if (entry.at > endUs) {
        this.#agenda.add(entry)
        return undefined
      }
      if (entry.isCancelled || entry.owner?.isDead) continue
      const frozenUntil = entry.owner?.frozenUntil ?? 0
      if (frozenUntil <= entry.at) return entry
      entry.at = frozenUntil
      this.#agenda.add(entry)
    }
  }

  #note(label: string): void {
    let hash = Math.imul(this.#hash ^ this.#nowUs, 0x01000193)
    for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193)
    this.#hash = hash >>> 0
  }
}
