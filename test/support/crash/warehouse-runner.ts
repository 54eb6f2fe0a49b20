/**
 * The program that runs a warehouse until it is killed: callers send commands, a little slower than all who follow the
 * log can handle them; and as it is told, rows are rebuilt again and again, or what is parked is tried again.
 */
import { setTimeout } from 'node:timers/promises'
import { hasCode } from '../../../src/index.ts'
import { listen, say as sayAnything } from '../../../src/testing/crash/told-program.ts'
import { Random } from '../../../src/testing/random.ts'
import { retryAll, shelves, startWarehouse, type Version, type Warehouse, type WarehousePlace } from './warehouse.ts'

/** What the program is told, once. */
export interface ToRunner extends Version {
  readonly place: WarehousePlace
  /** The prefix of the ids of its commands, and the seed of what they are. */
  readonly name: string
  readonly seed: number
  readonly leaseMs: number
  readonly does: 'nothing else' | 'rebuild' | 'retry'
}

/** What it says. */
export type FromRunner =
  | { readonly say: 'opening' }
  | { readonly say: 'answered'; readonly commandId: string }
  /** It begins to rebuild rows, or to try again what is parked. */
  | { readonly say: 'acting' }

const callers = 3
const pauseMsMax = 8
const say = (message: FromRunner): void => sayAnything(message)

async function run({ place, name, seed, does, leaseMs, ...version }: ToRunner): Promise<void> {
  say({ say: 'opening' })
  const warehouse = await startWarehouse(place, version, { leaseMs })
  const random = new Random(seed)
  let count = 0
  const caller = async () => {
    for (;;) {
      const commandId = `${name}-${count++}`
      await send(warehouse, random, commandId)
      say({ say: 'answered', commandId })
      await setTimeout(random.int(0, pauseMsMax))
    }
  }
  const works: Promise<void>[] = Array.from({ length: callers }, caller)
  if (does === 'rebuild') works.push(again(async () => void (await warehouse.projections.rebuild('stock'))))
  if (does === 'retry') works.push(again(() => retryAll(warehouse)))
  await Promise.all(works)
}

/** Sends one command, which may meet another process at its shelf. */
async function send(warehouse: Warehouse, random: Random, commandId: string): Promise<void> {
  const shelf = warehouse.shelf(random.pick(shelves))
  const kind = random.next()
  const amount = random.int(1, 100)
  if (kind < 0.6) await shelf.put({ amount }, { commandId })
  else if (kind < 0.95) await shelf.move({ amount, to: random.pick(shelves) }, { commandId })
  else await shelf.clear({}, { commandId })
}

async function again(act: () => Promise<void>): Promise<never> {
  for (;;) {
    say({ say: 'acting' })
    try {
      await act()
    } catch (error) {
      // A process that was killed may hold a lease for another moment.
      if (!hasCode(error, 'REBUILD_RUNNING') && !hasCode(error, 'PROJECTION_ELSEWHERE')) throw error
    }
    await setTimeout(1)
  }
}

listen((message: ToRunner) => void run(message))
