/**
 * A socket in the file system that a process listens on for as long as it holds a lock. The kernel closes it when the
 * process ends, however it ends, and answers for it when the process is stopped or busy. It is found by its file and
 * not by a name, so it is reached from every container that has the directory. That makes it the lock of the kernel
 * that Node offers: it has no `flock`, and the locks of `node:sqlite` are lost when anything in the process opens and
 * closes the file.
 */
import { closeSync, openSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { basename, dirname } from 'node:path'
import type { Life } from './process-identity.ts'

/** What the address of a socket may be long, in bytes, on every system; Linux takes 107. */
const addressBytesMax = 100
const answerMsMax = 5000

export interface LifeSocket {
  close(): Promise<void>
}

/** `undefined` where the file system or the system has no such sockets. */
export async function listen(path: string): Promise<LifeSocket | undefined> {
  const address = addressOf(path)
  if (address === undefined) return undefined
  const server = createServer((connection) => connection.destroy())
  const isListening = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(address.text, () => resolve(true))
  })
  address.close()
  if (!isListening) return undefined
  // A connection that failed harms nobody.
  server.on('error', () => undefined)
  server.unref()
  return { close: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** Whether somebody listens on a socket, as the kernel knows. */
export async function ask(path: string): Promise<Life> {
  const address = addressOf(path)
  if (address === undefined) return 'unknown'
  try {
    return await new Promise<Life>((resolve) => {
      const connection = connect(address.text)
      connection.setTimeout(answerMsMax, () => resolve('unknown'))
      connection.once('connect', () => resolve('running'))
      connection.once('error', (error: NodeJS.ErrnoException) =>
        resolve(error.code === 'ECONNREFUSED' ? 'ended' : 'unknown'),
      )
      connection.once('close', () => resolve('unknown'))
      connection.once('connect', () => connection.destroy())
    })
  } finally {
    address.close()
  }
}

interface Address {
  readonly text: string
  close(): void
}

/** A path that is too long for an address is shortened by way of its open directory. */
function addressOf(path: string): Address | undefined {
  if (process.platform === 'win32') return undefined
  if (Buffer.byteLength(path) <= addressBytesMax) return { text: path, close: () => undefined }
  if (process.platform !== 'linux') return undefined
  try {
    const directory = openSync(dirname(path), 'r')
    return { text: `/proc/self/fd/${directory}/${basename(path)}`, close: () => closeSync(directory) }
  } catch {
    return undefined
  }
}
