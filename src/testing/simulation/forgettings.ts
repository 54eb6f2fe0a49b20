/** Operators who forget people. What they are told must be true, and in the end all whom they named are forgotten. */
import type { StoredEvent } from '../../store/store.ts'
import { Broken } from './checks.ts'
import type { PersonalData } from './personal-data.ts'
import type { SimulatedProcess } from './process.ts'
import type { World } from './world.ts'

/** Within so long, processes read again what they have got, in milliseconds. */
const readingMs = 8000
/** The same at the end, when no fault is left that could keep from a process what others know. */
const lastReadingMs = 1500

export interface ForgettingsOptions {
  readonly world: World
  readonly personal: PersonalData
  /** The log as it is. */
  readonly log: () => readonly StoredEvent[]
  /** All processes that there are. */
  readonly processes: () => readonly SimulatedProcess[]
  /** Ends the run. */
  readonly fail: (broken: Broken) => void
}

export class Forgettings {
  readonly #options: ForgettingsOptions
  /** Who was named. */
  readonly #subjects = new Set<string>()
  #working = 0

  constructor(options: ForgettingsOptions) {
    this.#options = options
  }

  /** How many operators have not finished yet. */
  get working(): number {
    return this.#working
  }

  /** Forgets somebody in a process. That may fail, or end with the process. */
  async begin(process: SimulatedProcess, subject: string): Promise<void> {
    const { world, fail } = this.#options
    this.#subjects.add(subject)
    this.#working++
    const forgetting = this.#forget(process, subject, readingMs).catch((error) => {
      if (error instanceof Broken) fail(error)
      else world.tell(`${process.name}: forget of ${subject} failed: ${error}`)
    })
    await Promise.race([forgetting, process.died])
    this.#working--
  }

  /** Forgets everybody again who was named: it may have failed, or have been undone by a backup. */
  async finish(process: SimulatedProcess): Promise<void> {
    for (const subject of this.#subjects) await this.#forget(process, subject, lastReadingMs)
    // Processes read again what they have got.
    if (this.#subjects.size > 0) await this.#options.world.pause(lastReadingMs, 'looks')
  }

  async #forget(process: SimulatedProcess, subject: string, readAgainMs: number): Promise<void> {
    const { world, personal, log, processes } = this.#options
    const { keys, events } = await personal.forget(process, subject, log)
    const count = events.reduce((sum, each) => sum + each.count, 0)
    world.tell(`${process.name}: forget of ${subject}: ${keys.length} keys, ${count} events`)
    personal.readAgain(processes(), readAgainMs)
  }
}
