/**
 * What stands around the shop: two processes of it on one store, a round robin that gives each request to one of them,
 * and a payment service that takes every card but `declined`, and says nothing to `slow` at first.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const hostname = '127.0.0.1'
const urlOf = (server: Server) => `http://${hostname}:${(server.address() as AddressInfo).port}`

export interface Front extends AsyncDisposable {
  readonly url: string
  /** The payments that were taken, in cents, by their ids. */
  readonly paid: ReadonlyMap<string, number>
  /** Ends one of the processes by `kill -9`, if both run. Another one takes its place. */
  kill(): boolean
}

/** @param store what `--store` takes */
export async function openFront(store: string, port = 0): Promise<Front> {
  const paid = new Map<string, number>()
  const payments = createServer(async (asked, answer) => {
    const { cents, card } = (await json(asked)) as { cents: number; card: string }
    const id = String(asked.headers['idempotency-key'])
    const isFirst = !paid.has(id)
    if (card !== 'declined') paid.set(id, cents)
    if (card !== 'slow' || !isFirst) answer.end(JSON.stringify({ isPaid: paid.has(id) }))
  }).listen(0, hostname)

  const running = new Map<ChildProcess, number>()
  let requests = 0
  const roundRobin = createServer((asked, answer) => {
    const to = [...running.values()][requests++ % running.size] ?? 1
    const passed = request({ hostname, port: to, path: asked.url, method: asked.method, headers: asked.headers })
    passed.on('error', () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end()))
    passed.on('response', (got) => {
      got.on('error', () => answer.destroy()).pipe(answer.writeHead(got.statusCode!, got.headers))
    })
    answer.on('close', () => passed.destroy())
    asked.pipe(passed)
  }).listen(port, hostname)
  await Promise.all([once(payments, 'listening'), once(roundRobin, 'listening')])

  let isOpen = true
  const starting = new Set<Promise<void>>()
  async function start(): Promise<void> {
    const env = { ...process.env, SHOP_PAYMENTS: urlOf(payments) }
    const child = fork(fileURLToPath(new URL('../process.ts', import.meta.url)), ['--store', store], { env })
    child.once('exit', () => {
      if (running.delete(child) && isOpen) starting.add(start())
    })
    const [listening] = await Promise.race([once(child, 'message'), once(child, 'exit')])
    if (child.exitCode !== null) throw new Error('A process of the shop did not start')
    running.set(child, Number(listening))
  }
  await Promise.all([start(), start()])

  return {
    ...{ url: urlOf(roundRobin), paid },
    kill: () => running.size > 1 && [...running.keys()][requests % 2]!.kill('SIGKILL'),
    async [Symbol.asyncDispose]() {
      isOpen = false
      await Promise.all(starting)
      const ended = [...running.keys()].map((child) => once(child, 'exit'))
      for (const child of running.keys()) child.disconnect()
      await Promise.all(ended)
      for (const server of [payments, roundRobin]) server.close().closeAllConnections()
    },
  }
}
