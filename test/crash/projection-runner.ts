/** The program that runs the bank's projection on an SQLite file, deposits all the while, and says where it stands, until it is killed. */
import { setTimeout } from 'node:timers/promises'
import { Bank } from '../../examples/bank/bank.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { listen, say } from './told-program.ts'

async function run(path: string, leaseMs: number): Promise<void> {
  const bank = await Bank.start({ store: sqlite(path), leaseMs, pollIntervalMs: 20, log: { warn: () => {} } })
  await bank.account('child').try.open({ owner: 'child' })
  for (;;) {
    await bank.account('child').deposit({ amount: 1 })
    const { state, position } = await bank.projections.status('balances')
    say({ state, position })
    await setTimeout(1)
  }
}

listen(({ path, leaseMs }: { readonly path: string; readonly leaseMs: number }) => void run(path, leaseMs))
