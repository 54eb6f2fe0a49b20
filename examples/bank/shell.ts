/** `npm run shell`: a prompt with the bank started, to type commands into. Same file as the demo. */
import repl from 'node:repl'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { Bank } from './bank.ts'
import { say } from './print.ts'

const path = process.argv[2] ?? 'bank.db'
const bank = await Bank.start({ store: sqlite(path), snapshotEvery: 3 })

say(`The bank is open on ${path}. Try:

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
