/**
 * The bank over HTTP, for programs on this machine. Everybody may do everything: say who may do what before others can
 * reach it.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { http } from '../../../src/http/index.ts'
import type { Bank } from './bank.ts'

export async function serve(bank: Awaited<ReturnType<typeof Bank.start>>): Promise<Server> {
  const wanted = Number(process.env['PORT'] ?? 3000)
  const server = createServer().listen(wanted, 'localhost')
  await once(server, 'listening').catch((cause) => {
    throw new Error(`Port ${wanted} cannot be used. Set PORT to another one, such as 3001.`, { cause })
  })
  const { port } = server.address() as AddressInfo
  // By no other name, because a page on the web can make a name of its own point to this machine.
  const hosts = [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]
  server.on('request', getRequestListener(http(bank, { hosts })))
  console.log(`The bank is at http://localhost:${port}/openapi.json`)
  return server
}
