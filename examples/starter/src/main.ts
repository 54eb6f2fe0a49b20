/** Serves the bank over HTTP. Everybody may do everything: say who may do what before others can reach it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { http } from '../../../src/http/index.ts'
import { Bank } from './bank.ts'
import { store } from './store.ts'

const bank = await Bank.start({ store })
const server = createServer(getRequestListener(http(bank)))
const port = Number(process.env['PORT'] ?? 3000)
server.listen(port, 'localhost', () => {
  const { port } = server.address() as AddressInfo
  console.log(`The bank is at http://localhost:${port}/openapi.json`)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    server.close()
    await bank.stop()
    process.exit()
  })
}
