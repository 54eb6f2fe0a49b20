/**
 * The bank over HTTP, for programs on this machine. Everybody may do everything: say who may do what before others can
 * reach it.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { http } from '../../../src/http/index.ts'
import type { Bank } from './bank.ts'

export function serve(bank: Awaited<ReturnType<typeof Bank.start>>): Server {
  const server = createServer()
  server.listen(Number(process.env['PORT'] ?? 3000), 'localhost', () => {
    const { port } = server.address() as AddressInfo
    // By no other name, because a page on the web can make a name of its own point to this machine.
    const hosts = [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]
    server.on('request', getRequestListener(http(bank, { hosts })))
    console.log(`The bank is at http://localhost:${port}/openapi.json`)
  })
  return server
}
