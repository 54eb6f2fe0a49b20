/** Operators: they rebuild, pause, stop and start projections and reactions, and decide about parked events. */
import type { Managed, Projections } from '../../application/running.ts'
import { codeOf } from './checks.ts'
import type { History } from './history.ts'
import type { Marks } from './marks.ts'
import type { Operation, Part } from './plan.ts'
import type { SimulatedProcess } from './process.ts'
import { rowsOf } from './read-side.ts'
import type { World } from './world.ts'

export interface OperatorsOptions {
  readonly world: World
  readonly history: History
  readonly marks: Marks
}

/** How often parked events are tried again at the end, at most: for longer than any lease lasts. */
const roundsMax = 600
/** How often in a row without a success. Rounds in which nobody leads do not count. */
const idleMax = 8

export class Operators {
  readonly #options: OperatorsOptions
  #working = 0
  /** The keys of reactions that have to handle all events again. */
  readonly #toReset = new Set<string>()

  constructor(options: OperatorsOptions) {
    this.#options = options
  }

  /** How many have not finished yet. */
  get working(): number {
    return this.#working
  }

  /**
   * Does something in a process. What comes of it is told in the transcript only: an operator may fail.
   *
   * @param processes where to try it, one after the other while another process leads what this is about
   */
  async operate(processes: readonly SimulatedProcess[], operation: Operation): Promise<void> {
    this.#working++
    let mustResume = false
    for (const process of processes) {
      // Its work ends with the process: nothing that the process waits for comes then.
      const work = mustResume ? this.#resume(process, operation) : this.#tryIn(process, operation)
      const isElsewhere = await Promise.race([work, process.died])
      // A pause lasts, although who wanted to end it has died.
      if (operation.kind === 'pause' && isElsewhere === undefined) mustResume = true
      else if (isElsewhere !== true) break
    }
    this.#working--
  }

  /** Ends all pauses: those of processes that died, and those that an older state of the store had. */
  async resumeAll([process]: readonly SimulatedProcess[], parts: readonly Part[]): Promise<void> {
    for (const part of parts) await managedBy(process!, part).resume(part.key)
  }

  /** @returns whether only another process can do it */
  async #tryIn(process: SimulatedProcess, operation: Operation): Promise<boolean> {
    const { world, marks } = this.#options
    const what = `${operation.kind} of ${operation.key}`
    if (process.started === undefined) return false
    try {
      world.tell(`${process.name}: ${what}: ${await this.#work(process, operation)}`)
      return false
    } catch (error) {
      world.tell(`${process.name}: ${what} failed: ${error}`)
      if (operation.kind === 'rebuild') marks.meet('a rebuild fails')
      return codeOf(error) === 'PROJECTION_ELSEWHERE'
    }
  }

  /** @returns whether it has to be done in another process */
  async #resume(process: SimulatedProcess, operation: Operation): Promise<boolean> {
    try {
      if (process.started === undefined) return true
      await managedBy(process, operation).resume(operation.key)
      this.#options.world.tell(`${process.name}: resumes ${operation.key}`)
      return false
    } catch {
      return true
    }
  }

  async #work(process: SimulatedProcess, operation: Operation): Promise<string> {
    const { world, marks, history } = this.#options
    const { key } = operation
    const managed = managedBy(process, operation)
    switch (operation.kind) {
      case 'rebuild':
        await (managed as Projections<string>).rebuild(key)
        marks.meet('rows are rebuilt')
        return 'done'
      case 'pause':
        await managed.pause(key)
        await world.pause(operation.forMs, 'an operator waits', process)
        try {
          if ((await managed.lookup(key))?.state === 'paused') {
            marks.meet('a projection or a reaction is paused while it leads')
          }
        } finally {
          await managed.resume(key)
        }
        return 'resumed'
      case 'halt':
        await managed.stop(key)
        await world.pause(operation.forMs, 'an operator waits', process)
        await managed.start(key)
        return 'started again'
      case 'retryParked':
        return JSON.stringify(await this.#retry(managed, key))
      case 'skipParked': {
        const [first] = await managed.parked(key)
        if (first === undefined) return 'nothing is parked'
        const skipped = history.skipped.get(key) ?? new Set()
        history.skipped.set(key, skipped.add(first.position))
        await managed.skipParked(key, first.position)
        marks.meet('a parked event is skipped')
        return `position ${first.position}`
      }
    }
  }

  /** Only the log was set back: what reactions did for events that are still there may be lost. */
  logWentBack(reactions: readonly string[]): void {
    for (const key of reactions) this.#toReset.add(key)
  }

  /**
   * Lets a projection or a reaction that has stopped, since the log is not the one that it has handled, continue with
   * the log that is there.
   *
   * @param kept the last position at which the log may still be the one that was handled
   * @returns whether there was something to do
   */
  async repair(processes: readonly SimulatedProcess[], part: Part, kept: number): Promise<boolean> {
    const { world, marks } = this.#options
    const { key, of } = part
    let isNeeded = false
    this.#working++
    for (const process of processes) {
      const work = async () => {
        const managed = managedBy(process, part)
        const { failure } = await managed.status(key)
        const hasStopped = codeOf(failure) === 'LOG_REPLACED'
        if (!(hasStopped || (of === 'reactions' && this.#toReset.has(key)))) return
        isNeeded = true
        if (hasStopped) marks.meet('a projection or a reaction stops because it has handled another log')
        const hasRows = of === 'projections' && process.version.domain.projections[key]!.shape !== 'code'
        try {
          if (hasRows) await (managed as Projections<string>).rebuild(key)
          // A reaction does everything again: commands that are stored are not stored twice.
          else if (of === 'reactions') {
            await managed.reset(key, { from: 1 })
            this.#toReset.delete(key)
          } else await managed.reset(key, { from: kept + 1, keep: true })
        } catch (error) {
          // Where another process leads, it is done there.
          if (codeOf(error) !== 'PROJECTION_ELSEWHERE') throw error
        }
        if (hasStopped) await managed.start(key)
      }
      const told = work().then(
        () => {},
        (error) => world.tell(`${process.name}: ${key} is not repaired: ${error}`),
      )
      await Promise.race([told, process.died])
    }
    this.#working--
    return isNeeded
  }

  async #retry(managed: Managed<string>, key: string): Promise<{ readonly handled: number; readonly parked: number }> {
    const result = await managed.retryParked(key)
    for (let i = 0; i < result.handled; i++) this.#options.marks.meet('a parked event is handled later')
    return result
  }

  /**
   * Lets all parked events be tried again until none is left, or none can be handled.
   *
   * @param processes among them is the one that leads
   */
  async retryAll(processes: readonly SimulatedProcess[], part: Part): Promise<void> {
    const { world } = this.#options
    const { of, key } = part
    // A fold is pure, so what fails again will always fail.
    const isFold = of === 'projections' && rowsOf(processes[0]!.version.domain).some(([own]) => own === key)
    const most = isFold ? 1 : idleMax
    let idle = 0
    /** All of them, or only the one that leads. */
    let asked = processes
    for (let round = 0; round < roundsMax && idle < most; round++) {
      let leader: SimulatedProcess | undefined
      for (const process of asked) {
        const managed = managedBy(process, part)
        if ((await managed.parked(key)).length === 0) return
        try {
          idle = (await this.#retry(managed, key)).handled === 0 ? idle + 1 : 0
          leader = process
        } catch (error) {
          if (codeOf(error) !== 'PROJECTION_ELSEWHERE') throw error
        }
      }
      asked = leader === undefined ? processes : [leader]
      await world.pause(100, 'an operator waits')
    }
  }
}

/** What manages a projection or reaction of a process. */
const managedBy = ({ started }: SimulatedProcess, { of }: Part): Managed<string> => started![of]
