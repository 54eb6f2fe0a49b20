/** The program that asks for transfers at full load until it is killed. It says each one when it was acknowledged. */
import { chanceOf } from '../support/crash/chance.ts'
import { listen, say } from '../support/crash/told-program.ts'
import { accounts, startBank, type TransferPlace } from '../support/crash/transfer-domain.ts'

const callers = 8

async function run(place: TransferPlace, seed: number): Promise<void> {
  const chance = chanceOf(seed)
  const bank = await startBank(place)
  let asked = 0
  // Some transfers are more than there is, and some go to an account that is not open.
  const amountOf = () => (chance.happens(0.1) ? 100_000 : chance.between(1, 50))
  const targetOf = () => (chance.happens(0.2) ? 'nobody' : chance.pick(accounts))
  const ask = async () => {
    for (;;) {
      const id = `transfer ${seed} ${++asked}`
      await bank.transfer(id).request({ from: chance.pick(accounts), to: targetOf(), amount: amountOf() })
      say({ id })
    }
  }
  await Promise.all(Array.from({ length: callers }, ask))
}

listen(({ place, seed }: { readonly place: TransferPlace; readonly seed: number }) => void run(place, seed))
