/** The bank with transfers, and a bell that rings once for each transfer, a moment after it was asked for. */
import { z } from 'zod'
import { Account } from '../../../examples/bank/account.ts'
import { Balances } from '../../../examples/bank/balances.ts'
import { MoveMoney, Requested, Transfer } from '../../../examples/transfer/transfer.ts'
import { aggregate, domain, event, reaction, type StoreFactory } from '../../../src/index.ts'
import { file } from '../../../src/store/file/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'

const Rung = event('BellRung', z.object({}))

const Bell = aggregate('bell', () => ({ rung: 0 }))
  .on(Rung, ({ rung }) => ({ rung: rung + 1 }))
  .command('ring', z.object({}), () => Rung())

const RingLater = reaction('ring later', { bell: Bell }).on(Requested, ({ stream: { id } }, { schedule }) =>
  schedule({ aggregate: 'bell', id, name: 'ring' }, { afterMs: 20 }),
)

const Ringing = domain({
  aggregates: { account: Account, transfer: Transfer, bell: Bell },
  projections: { balances: Balances },
  reactions: { moveMoney: MoveMoney, ringLater: RingLater },
})

/** Where a bank is kept. */
export interface TransferPlace {
  readonly store: 'file' | 'sqlite'
  readonly path: string
}

const storeAt = ({ store, path }: TransferPlace): StoreFactory =>
  store === 'file' ? file(path, { segmentBytesMax: 64 * 1024 }) : sqlite(path)

export const accounts: readonly string[] = ['a', 'b', 'c', 'd', 'e']
export const openingBalance = 1000

/** Starts the bank; its accounts are open and hold their first money, once. */
export async function startBank(place: TransferPlace) {
  const options = { leaseMs: 200, pollIntervalMs: 20, snapshotEvery: 10, passivateAfterMs: 100 }
  const bank = await Ringing.start({ store: storeAt(place), log: { warn: () => {} }, ...options })
  for (const id of accounts) {
    await bank.account(id).try.open({ owner: id }, { commandId: 'opening' })
    await bank.account(id).deposit({ amount: openingBalance }, { commandId: 'first money' })
  }
  return bank
}
