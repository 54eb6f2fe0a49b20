/** Backups that are restored: the store goes back to an older state, and operators repair what is ahead of its log. */
import { keyRow, keysName } from '../../kernel/personal/key-rows.ts'
import type { History } from './history.ts'
import type { Marks } from './marks.ts'
import type { Operators } from './operators.ts'
import type { PersonalData } from './personal-data.ts'
import type { Action } from './plan.ts'
import type { Processes } from './processes.ts'
import { partsOf } from './read-side.ts'
import type { SimulatedStore } from './simulated-store.ts'
import type { AnyDomain } from './version.ts'
import type { Way } from './way.ts'
import type { Witness } from './witness.ts'
import type { World } from './world.ts'

export type Restoring = Extract<Action, { readonly changes: number }>

export interface BackupsOptions {
  readonly world: World
  readonly store: SimulatedStore
  readonly witness: Witness
  readonly way: Way
  readonly history: History
  readonly marks: Marks
  readonly personal: PersonalData
  readonly processes: Processes
  readonly operators: Operators
  /** The newest version of the domain. */
  readonly newest: AnyDomain
}

/** So often in a row, operators find nothing to repair before everything counts as repaired. */
const calmMin = 6

export class Backups {
  readonly #options: BackupsOptions
  /** The changes of the store before faults began. It is never set back further. */
  #changesMin = 0

  constructor(options: BackupsOptions) {
    this.#options = options
  }

  /** Faults begin. */
  begin(): void {
    this.#changesMin = this.#options.store.changes
  }

  /** Ends all processes, and sets the store back. They start again within some time. */
  async restore({ kind, changes, forMs }: Restoring): Promise<void> {
    const { world, store, witness, way, history, marks, personal, processes, operators, newest } = this.#options
    const isAll = kind === 'restore'
    way.count(kind)
    way.disconnect()
    processes.crashAll(forMs, world.random)
    await store.restore(Math.max(this.#changesMin, store.changes - changes), isAll ? 'all' : 'log')
    if (isAll) {
      const { rows } = await store.call('listRows', [keysName, { prefix: keyRow(''), limit: Number.POSITIVE_INFINITY }])
      personal.wentBack(rows)
    }
    const head = await witness.wasRestored()
    world.tell(`${kind} of an older state: the log ends at ${head}`)
    marks.meet(isAll ? 'the store goes back to an older state' : 'only the log goes back to an older state')
    for (const skipped of history.skipped.values()) {
      for (const position of skipped) if (position > head) skipped.delete(position)
    }
    if (isAll) return
    const reactions = partsOf(newest).filter(({ of }) => of === 'reactions')
    operators.logWentBack(reactions.map(({ key }) => key))
    world.after(forMs, 'an operator looks', () => void this.#repair())
  }

  /** An operator repairs what has handled another log. */
  async #repair(): Promise<void> {
    const { witness, processes, operators, newest } = this.#options
    for (const part of partsOf(newest)) await operators.repair(processes.from(0), part, witness.keptSince(0))
  }

  /** Waits until nothing has stopped because it has handled another log. */
  async repairAll(): Promise<void> {
    const { world, witness, processes, operators, newest } = this.#options
    if (witness.era === 0) return
    // A process that stands by notices it later than the one that leads.
    for (let calm = 0; calm < calmMin; calm++) {
      await world.pause(2500, 'looks')
      const kept = witness.keptSince(0)
      for (const part of partsOf(newest)) if (await operators.repair(processes.all, part, kept)) calm = 0
    }
  }
}
