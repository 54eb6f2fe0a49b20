/** The program that asks for transfers at full load until it is killed. It says each one when it was acknowledged. */
import { crashProgram } from '../../src/testing/index.ts'
import { accounts, startBank, type TransferPlace } from '../support/crash/transfer-domain.ts'

const callers = 8

await crashProgram(async ({ data, round, random, tell }) => {
  const bank = await startBank(data as TransferPlace)
  let asked = 0
  // Some transfers are more than there is, and some go to an account that is not open.
  const amountOf = () => (random.chance(0.1) ? 100_000 : random.int(1, 50))
  const targetOf = () => (random.chance(0.2) ? 'nobody' : random.pick(accounts))
  const ask = async () => {
    for (;;) {
      const id = `transfer ${round} ${++asked}`
      await bank.transfer(id).request({ from: random.pick(accounts), to: targetOf(), amount: amountOf() })
      tell({ id })
    }
  }
  await Promise.all(Array.from({ length: callers }, ask))
})
