import { test } from 'node:test'
import { seeds, simulate } from '../../src/testing/index.ts'
import { TransferBank } from './bank.ts'

// #region simulation
const owners = ['ada', 'bob', 'cy']

test('no money is lost, whatever goes wrong', async () => {
  for (const seed of seeds(20)) {
    let transfers = 0
    await simulate({
      domain: TransferBank,
      seed,
      first: owners.flatMap((id) => [
        { aggregate: 'account', id, name: 'open', data: { owner: id } } as const,
        { aggregate: 'account', id, name: 'deposit', data: { amount: 100 } } as const,
      ]),
      command: (random) => ({
        aggregate: 'transfer',
        id: `t${++transfers}`,
        name: 'request',
        data: { from: random.pick(owners), to: random.pick([...owners, 'nobody']), amount: random.int(1, 150) },
      }),
      invariants: {
        'the total of money is constant': (end) =>
          [...end.states('account').values()].reduce((total, { balance }) => total + balance, 0) === 300,
      },
    })
  }
})
// #endregion
