/** Backups that are restored: the store goes back to an older state, and operators repair what is ahead of its log. */
import type { History } from './history.ts'
import type { Marks } from './marks.ts'
import type { Operators } from './operators.ts'
import type { Action } from './plan.ts'
import type { Processes } from './processes.ts'
import { partsOf } from './read-side.ts'
import type { StoreOfRun } from './store-of-run.ts'
import type { AnyDomain } from './version.ts'
import type { Witness } from './witness.ts'
import type { World } from './world.ts'

export type Restoring = Extract<Action, { readonly changes: number }>

export interface BackupsOptions {
  readonly world: World
  readonly store: StoreOfRun
  readonly witness: Witness
  readonly history: History
  readonly marks: Marks
  readonly processes: Processes
  readonly operators: Operators
  /** How long a process may lead without a word, in milliseconds. */
  readonly leaseMs: number
  /** The newest version of the domain. */
  readonly newest: AnyDomain
}

/** So often in a row, operators find nothing to repair before everything counts as repaired. */
const calmMin = 6
/** They look again after so long, at least, in milliseconds. */
const lookMsMin = 1000

/** A damage that somebody has to name, and what is done then. */
interface Damaged {
  /** The changes of the store when it was whole. */
  readonly changes: number
  readonly action: Restoring
}

export class Backups {
  readonly #options: BackupsOptions
  #damaged: Damaged | undefined
  /** The changes of the store before faults began. It is never set back further. */
  #changesMin = 0

  constructor(options: BackupsOptions) {
    this.#options = options
  }

  /** Faults begin. */
  begin(actions: readonly Action[]): void {
    const { store } = this.#options
    this.#changesMin = store.changes
    if (actions.some((action) => 'changes' in action)) store.backUp()
  }

  /** Sets the store back, or lets a write have landed at a wrong place. */
  async act(action: Restoring): Promise<void> {
    const { world, store, history, witness } = this.#options
    if (action.kind !== 'misdirect') return this.#restore(action)
    const { changes } = store
    const what = store.misdirect()
    if (what === undefined) return
    store.way.count(action.kind)
    world.tell(`misdirect: ${what}`)
    history.damaged.add(witness.era)
    this.#damaged = { changes, action }
  }

  /** Somebody has named a damage of the store: an operator puts a backup back, after a while. */
  named(by: string): void {
    const { world } = this.#options
    const damaged = this.#damaged
    world.tell(`the damage is named: ${by}`)
    world.after(damaged?.action.forMs ?? 0, 'an operator puts a backup back', () => {
      // It may have been put right by another backup.
      if (damaged !== undefined && this.#damaged === damaged) void this.#restore({ ...damaged.action, kind: 'restore' })
    })
  }

  /** Lets every damage be named or turn out to be harmless, and be put right. */
  async heal(): Promise<void> {
    const { world, store, processes } = this.#options
    if (!store.isDamaged) return
    // What is wrong beside the log shows when the store is opened.
    processes.crashAll(0, world.random)
    while (store.isDamaged) {
      await world.pause(100, 'an operator looks')
      if (processes.areThere) await store.examine()
    }
  }

  /** Ends all processes, and sets the store back. They start again within some time. */
  async #restore({ kind, changes, forMs }: Restoring): Promise<void> {
    const { world, store, witness, history, marks, processes, operators, newest } = this.#options
    // A damaged store is set back as a whole, to a state that was not damaged.
    const isAll = kind === 'restore' || store.isDamaged
    const from = store.isDamaged ? this.#damaged!.changes : store.changes
    this.#damaged = undefined
    store.way.count(kind)
    store.way.disconnect()
    processes.crashAll(forMs, world.random)
    await store.restore(Math.max(this.#changesMin, from - changes), isAll ? 'all' : 'log')
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
    const { world, witness, processes, operators, leaseMs, newest } = this.#options
    if (witness.era === 0) return
    // A process that stands by notices it later than the one that leads: so all of this takes three leases.
    for (let calm = 0; calm < calmMin; calm++) {
      await world.pause(Math.max(lookMsMin, (3 * leaseMs) / calmMin), 'looks')
      const kept = witness.keptSince(0)
      for (const part of partsOf(newest)) if (await operators.repair(processes.all, part, kept)) calm = 0
    }
  }
}
