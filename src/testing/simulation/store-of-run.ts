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
import type { SimulatedStore } from './simulated-store.ts'
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
  /** Ends the run. */
  readonly fail: (broken: Broken) => void
}

export function storeOfRun(options: StoreOfRunOptions): StoreOfRun {
  const { world, store, seed, marks, personal, done, restart, fail } = options
  const { tables, profile } = store
  const watch: Watch = {
    sent: (call) => marks.sent(call),
    done,
    answered: (call, answer) => marks.answered(call, answer),
    storedInPart: () => marks.storedInPart(),
    missed: () => marks.missed(),
    askedItself: () => marks.askedItself(),
  }
  if (!profile.isItself) {
    const way = new Network(world, store, noFaults, watch)
    return { way, log: store, tables, losePower: () => {} }
  }
  const random = new Random(seed ^ 0xd15c)
  const opened = async (real: Store) => {
    const { rows } = await real.listRows(keysName, { prefix: keyRow(''), limit: Number.POSITIVE_INFINITY })
    personal.found(rows)
  }
  const way = new DiskWay({ world, random, watch, marks, opened, restart, fail })
  return { way, log: way, tables, losePower: () => way.losePower() }
}
