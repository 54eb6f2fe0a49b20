/** The domain that members of a cluster are measured with: accounts, and counters that take long to decide. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Account } from '../../examples/bank/account.ts'
import { cluster } from '../../src/cluster/index.ts'
import { aggregate, domain, event, type StoreFactory } from '../../src/index.ts'

const Counted = event('Counted', z.object({}))
/** Some 0.3 ms of work for each command. */
const hashes = 150
const digested = 'x'.repeat(500)

const Counter = aggregate('counter', () => 0)
  .on(Counted, (count) => count + 1)
  .command('count', z.object({}), () => {
    for (let i = 0; i < hashes; i++) createHash('sha256').update(digested).digest()
    return Counted()
  })

const Measured = domain({ aggregates: { account: Account, counter: Counter } })
export type MeasuredBank = Awaited<ReturnType<typeof Measured.start>>

export const ids: readonly string[] = Array.from({ length: 100 }, (_, i) => `number-${i}`)

/** Starts a member, or without a cluster one process. */
export function startMeasured(store: StoreFactory, isMember: boolean): Promise<MeasuredBank> {
  const options = { store, log: { warn() {} } }
  if (!isMember) return Measured.start(options)
  return Measured.start({
    ...options,
    cluster: cluster({ address: '127.0.0.1:0', secret: 'a secret to measure with' }),
  })
}

export const someId = (): string => ids[Math.floor(Math.random() * ids.length)]!

/** What members do: decide for long, or wait for the store. */
export const kinds = {
  cpu: (bank: MeasuredBank) => bank.counter(someId()).count(),
  io: (bank: MeasuredBank) => bank.account(someId()).deposit({ amount: 1 }),
}
