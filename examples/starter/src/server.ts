/** The bank over HTTP. Everybody may do everything: say who may do what before others can reach it. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { http } from '../../../src/http/index.ts'
import type { Bank } from './bank.ts'

export function serve(bank: Awaited<ReturnType<typeof Bank.start>>): Server {
  const server = createServer(getRequestListener(http(bank)))
  server.listen(Number(process.env['PORT'] ?? 3000), 'localhost', () => {
    const { port } = server.address() as AddressInfo
    console.log(`The bank is at http://localhost:${port}/openapi.json`)
  })
  return server
}
