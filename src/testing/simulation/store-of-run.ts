/** The store of a run, with the way to it: one that behaves as a real one does, or the file store on a disk. */
import { keyRow, keysName } from '../../kernel/personal/key-rows.ts'
import type { Store } from '../../store/store.ts'
import { Random } from '../random.ts'
import type { Broken } from './checks.ts'
import { DiskWay } from './disk/disk-way.ts'
import { noFaults } from './faults.ts'
import type { Marks } from './marks.ts'
import { Network } from './network.ts'
import type { PersonalData } from './personal-data.ts'
import type { SimulatedProcess } from './process.ts'
import type { Restored, SimulatedStore } from './simulated-store.ts'
import type { SimulatedTables } from './simulated-tables.ts'
import type { Watch, Way } from './way.ts'
import type { VisibleLog } from './witness.ts'
import type { World } from './world.ts'

export interface StoreOfRun {
  readonly way: Way
  readonly log: VisibleLog
  /** The tables of users. */
  readonly tables: SimulatedTables
  /** The power of its machine fails. */
  losePower(): void
  /** How many changes were made. */
  readonly changes: number
  /** It may be set back from now on. */
  backUp(): void
  /** Goes back to the state after so many changes, or to one before that. Nobody has it open. */
  restore(changes: number, what: Restored): Promise<void>
  /** A write to its disk has landed at a wrong place. @returns what has happened, if there was such a write */
  misdirect(): string | undefined
  /** Whether one has, and it was not put right. */
  readonly isDamaged: boolean
  /** Looks whether that has done harm. Call it when a process has the store open. */
  examine(): Promise<void>
}

export interface StoreOfRunOptions {
  readonly world: World
  /** The store that behaves as a real one does. Nothing is in it if the real one runs itself. */
  readonly store: SimulatedStore
  readonly seed: number
  readonly marks: Marks
  readonly personal: PersonalData
  readonly done: Watch['done']
  /** A process has to start again, since its store refuses to write, or may do so. */
  readonly restart: (process: SimulatedProcess) => void
  /** Somebody has named a damage of the store. */
  readonly named: (by: string) => void
  /** Ends the run. */
  readonly fail: (broken: Broken) => void
}

export function storeOfRun(options: StoreOfRunOptions): StoreOfRun {
  const { world, store, seed, marks, personal, done, restart, named, fail } = options
  const { tables, profile } = store
  const watch: Watch = {
    sent: (call) => marks.sent(call),
    done,
    answered: (call, answer) => marks.answered(call, answer),
    storedInPart: () => marks.storedInPart(),
    missed: () => marks.missed(),
    askedItself: () => marks.askedItself(),
  }
  if (store.late !== undefined)
    store.late.onPassed = () => marks.meet('a commit passes a reservation that its process has not noticed')
  const keys = { prefix: keyRow(''), limit: Number.POSITIVE_INFINITY }
  if (!profile.isItself) {
    return {
      way: new Network(world, store, noFaults, watch),
      log: store,
      tables,
      losePower: () => {},
      backUp: () => {},
      misdirect: () => undefined,
      isDamaged: false,
      examine: async () => {},
      get changes() {
        return store.changes
      },
      async restore(changes, what) {
        await store.restore(changes, what)
        if (what === 'all') personal.wentBack((await store.call('listRows', [keysName, keys])).rows)
      },
    }
  }
  const random = new Random(seed ^ 0xd15c)
  let isBack = false
  const opened = async (real: Store) => {
    const { rows } = await real.listRows(keysName, keys)
    personal.found(rows)
    if (isBack) personal.wentBack(rows)
    isBack = false
  }
  const way = new DiskWay({ world, random, watch, marks, opened, restart, named, fail })
  return {
    way,
    log: way,
    tables,
    losePower: () => way.losePower(),
    backUp: () => way.backUp(),
    misdirect: () => way.misdirect(),
    examine: () => way.examine(),
    get isDamaged() {
      return way.isDamaged
    },
    get changes() {
      return way.changes
    },
    async restore(changes, what) {
      way.restore(changes, what)
      isBack ||= what === 'all'
    },
  }
}
