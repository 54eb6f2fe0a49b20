/**
 * Asks the server to cancel the statement on a connection whose answer is no longer awaited. Otherwise the statement
 * would go on, or wait, as long as it takes. The request is a message of 16 bytes on another connection. The server, or
 * a pooler before it, takes it from anybody who knows the number and the key of the connection. Nothing waits for it,
 * and it may fail.
 */
import { connect } from 'node:net'
import { startTimer, stopTimer } from '../../../runtime/timers.ts'
import type { PostgresClient } from './driver.ts'

/** The code of a cancel request, in place of a protocol version. */
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
