/** A program that serves many tenants at full load until it is killed. It says each command that was acknowledged. */
import { tenants } from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { listen, say } from '../../src/testing/crash/told-program.ts'
import { Random } from '../../src/testing/random.ts'
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
  const random = new Random(seed)
  const banks = tenants(Pots, {
    start: (name) => ({ store: sqlite(`${directory}/${name}.db`), leaseMs: 1000 }),
    openMax,
    idleMs: 2000,
    waitMs: 120_000,
  })
  let sent = 0
  // Most calls go to a few tenants, and the rest to all.
  const busy = Array.from({ length: Math.ceil(openMax / 2) }, () => random.int(1, count))
  const call = async () => {
    for (;;) {
      const tenant = `tenant ${random.chance(0.7) ? random.pick(busy) : random.int(1, count)}`
      const commandId = `${seed}-${++sent}`
      const pot = banks.get(tenant).pot(random.pick(pots))
      if (random.chance(0.1)) await pot.ask({ afterMs: random.int(0, 3000) }, { commandId })
      else await pot.put({ amount: 1 }, { commandId })
      say({ tenant, commandId } satisfies Acknowledged)
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
}

listen((orders: Orders) => void run(orders))
