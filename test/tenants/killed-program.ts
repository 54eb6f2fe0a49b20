/** A program that serves many tenants at full load until it is killed. It says each command that was acknowledged. */
import { tenants } from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { chanceOf } from '../support/crash/chance.ts'
import { listen, say } from '../support/crash/told-program.ts'
import { Pots } from './pots.ts'

/** What the program is told. */
export interface Orders {
  readonly directory: string
  readonly tenants: number
  readonly openMax: number
  readonly seed: number
}

/** A command that was acknowledged. */
export interface Acknowledged {
  readonly tenant: string
  readonly commandId: string
}

const callers = 40
const pots = ['a', 'b']

async function run({ directory, tenants: count, openMax, seed }: Orders): Promise<void> {
  const chance = chanceOf(seed)
  const banks = tenants(Pots, {
    start: (name) => ({ store: sqlite(`${directory}/${name}.db`), leaseMs: 1000 }),
    openMax,
    idleMs: 2000,
    waitMs: 120_000,
  })
  let sent = 0
  // Most calls go to a few tenants, and the rest to all.
  const busy = Array.from({ length: Math.ceil(openMax / 2) }, () => chance.between(1, count))
  const call = async () => {
    for (;;) {
      const tenant = `tenant ${chance.happens(0.7) ? chance.pick(busy) : chance.between(1, count)}`
      const commandId = `${seed}-${++sent}`
      const pot = banks.get(tenant).pot(chance.pick(pots))
      if (chance.happens(0.1)) await pot.ask({ afterMs: chance.between(0, 3000) }, { commandId })
      else await pot.put({ amount: 1 }, { commandId })
      say({ tenant, commandId } satisfies Acknowledged)
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
}

listen((orders: Orders) => void run(orders))
