/**
 * Asks the server to cancel what it does on a connection that nobody listens to any more: else it would go on for as
 * long as the statement takes, or waits. The request is a message of 16 bytes on a connection of its own, which the
 * server, or a pooler before it, takes from anybody who knows the number and the key of the other one. It is a wish:
 * nobody waits for it, and it may fail.
 */
import { connect } from 'node:net'
import { startTimer, stopTimer } from '../../../runtime/timers.ts'
import type { PostgresClient } from './driver.ts'

/** What the first number of a message says in place of a version of the protocol. */
const cancelRequest = 80_877_102

export function cancelStatement({ host, port, processID, secretKey }: PostgresClient, timeoutMs: number): void {
  if (host === undefined || port === undefined || typeof processID !== 'number' || typeof secretKey !== 'number') return
  const request = Buffer.alloc(16)
  for (const [i, number] of [16, cancelRequest, processID, secretKey].entries()) request.writeInt32BE(number, 4 * i)
  const socket = connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port })
  const timer = startTimer(() => socket.destroy(), timeoutMs)
  socket.on('error', () => socket.destroy())
  socket.on('close', () => stopTimer(timer))
  socket.on('connect', () => socket.end(request))
  socket.resume()
}
