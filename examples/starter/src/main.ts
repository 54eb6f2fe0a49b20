/** The program: the bank on its store, with its server, until it is interrupted. */
import { Bank } from './bank.ts'
import { serve } from './server.ts'
import { store } from './store.ts'

const bank = await Bank.start({ store })
const server = await serve(bank)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    server.close()
    await bank.stop()
    process.exit()
  })
}
