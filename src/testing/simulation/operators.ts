/** Operators: they rebuild, pause, stop and start projections and reactions, and decide about parked events. */
import type { Managed, Projections } from '../../application/running.ts'
import { codeOf } from './checks.ts'
import type { History } from './history.ts'
import type { Marks } from './marks.ts'
import type { Operation, Part } from './plan.ts'
import type { SimulatedProcess } from './process.ts'
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

  constructor(options: OperatorsOptions) {
    this.#options = options
  }

  /** How many have not finished yet. */
  get working(): number {
    return this.#working
  }

  /** Does something in a process. What comes of it is told in the transcript only: an operator may fail. */
  async operate(process: SimulatedProcess, operation: Operation): Promise<void> {
    const { world, marks } = this.#options
    const what = `${operation.kind} of ${operation.key}`
    this.#working++
    // Its work ends with the process: nothing that the process waits for comes then.
    const work = this.#work(process, operation).then(
      (outcome) => world.tell(`${process.name}: ${what}: ${outcome}`),
      (error) => {
        world.tell(`${process.name}: ${what} failed: ${error}`)
        if (operation.kind === 'rebuild') marks.meet('a rebuild fails')
      },
    )
    await Promise.race([work, process.died])
    this.#working--
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
    const { key } = part
    let idle = 0
    for (let round = 0; round < roundsMax && idle < idleMax; round++) {
      let handled = 0
      let hasLeader = false
      for (const process of processes) {
        const managed = managedBy(process, part)
        if ((await managed.parked(key)).length === 0) return
        try {
          handled += (await this.#retry(managed, key)).handled
          hasLeader = true
        } catch (error) {
          if (codeOf(error) !== 'PROJECTION_ELSEWHERE') throw error
        }
      }
      if (hasLeader) idle = handled === 0 ? idle + 1 : 0
      await world.pause(100, 'an operator waits')
    }
  }
}

/** What manages a projection or reaction of a process. */
const managedBy = ({ started }: SimulatedProcess, { of }: Part): Managed<string> => started![of]
