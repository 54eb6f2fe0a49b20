/**
 * A bank that writes a receipt for each withdrawal, by a reaction. Some receipts are refused, and then noted as such: a
 * reaction that got the other answer the second time would leave two, or none.
 */
import { z } from 'zod'
import { Account, Withdrawn } from '../../../examples/bank/account.ts'
import { Balances } from '../../../examples/bank/balances.ts'
import { aggregate, domain, event, reaction, reject } from '../../../src/index.ts'

const withdrawal = z.object({ position: z.int(), amount: z.int() })

const Issued = event('ReceiptIssued', withdrawal)
const Refused = event('ReceiptRefused', withdrawal)

/** Takes no notice of what it has issued, so that a receipt that is asked for twice is there twice. */
const Receipts = aggregate('receipts', () => ({ count: 0 }))
  .on(Issued, ({ count }) => ({ count: count + 1 }))
  .on(Refused, ({ count }) => ({ count: count + 1 }))
  .command('issue', withdrawal, ({ count }, data) => (count % 3 === 2 ? reject('OutOfPaper') : Issued(data)))
  .command('refuse', withdrawal, (_, data) => Refused(data))

const WriteReceipts = reaction('write receipts', { receipts: Receipts }).on(
  Withdrawn,
  async ({ stream: { id }, position, data: { amount } }, { dispatch }) => {
    const data = { position, amount }
    const issued = await dispatch({ aggregate: 'receipts', id, name: 'issue', data })
    if (!issued.accepted) await dispatch({ aggregate: 'receipts', id, name: 'refuse', data })
  },
)

export const OrdealBank = domain({
  aggregates: { account: Account, receipts: Receipts },
  projections: { balances: Balances },
  reactions: { writeReceipts: WriteReceipts },
})
