/** A program that asks for transfers until it is killed. It tells each one when it was acknowledged. */
import { sqlite } from '../../src/store/sqlite/index.ts'
import { crashProgram } from '../../src/testing/index.ts'
import { TransferBank } from './bank.ts'

// #region program
await crashProgram(async ({ data, round, random, tell }) => {
  const bank = await TransferBank.start({ store: sqlite(data.path), leaseMs: 500 })
  for (const id of ['ada', 'bob']) {
    await bank.account(id).try.open({ owner: id }, { commandId: `open ${id}` })
    await bank.account(id).deposit({ amount: 1000 }, { commandId: `pay in ${id}` })
  }
  for (let n = 1; ; n++) {
    const [from, to] = random.pick([
      ['ada', 'bob'],
      ['bob', 'ada'],
    ] as const)
    const id = `transfer ${round} ${n}`
    await bank.transfer(id).request({ from, to, amount: random.int(1, 50) })
    tell({ id })
  }
})
// #endregion
