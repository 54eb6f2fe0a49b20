/**
 * The program that runs the bank's projection, deposits all the while, and says where it stands, until it is killed.
 */
import { setTimeout } from 'node:timers/promises'
import { Bank } from '../../examples/bank/bank.ts'
import { listen, say } from '../../src/testing/crash/told-program.ts'
import { storeAt } from '../support/crash/place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'

async function run(place: Place, leaseMs: number): Promise<void> {
  const bank = await Bank.start({ store: storeAt(place), leaseMs, pollIntervalMs: 20, log: { warn: () => {} } })
  await bank.account('child').try.open({ owner: 'child' })
  for (;;) {
    await bank.account('child').deposit({ amount: 1 })
    const { state, position } = await bank.projections.status('balances')
    say({ state, position })
    await setTimeout(1)
  }
}

listen(({ place, leaseMs }: { readonly place: Place; readonly leaseMs: number }) => void run(place, leaseMs))
