/** `npm run shell`: a prompt with the bank started, to type commands into. Same store as the demo. */
import repl from 'node:repl'
import { chosenStore } from '../store-option.ts'
import { Bank } from './bank.ts'
import { say } from './print.ts'

const { factory: store, place } = chosenStore('bank.db')
const bank = await Bank.start({ store, snapshotEvery: 3 })

say(`The bank is open on ${place}. Try:

  await bank.account('ada').open({ owner: 'Ada' })
  await bank.account('ada').deposit({ amount: 100 })
  await bank.account('ada').try.withdraw({ amount: 500 })
  await bank.account('ada').state({ sequence: 1 })
  await Array.fromAsync(bank.account('ada').history())
  await bank.balances.get('ada')

Leave with .exit
`)
const shell = repl.start({ prompt: 'bank> ' })
Object.defineProperty(shell.context, 'bank', { value: bank, enumerable: true })
shell.on('exit', () => void bank.stop())
