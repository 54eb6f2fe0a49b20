/**
 * A socket in the file system on which a process listens as long as it holds a lock. The kernel closes it when the
 * process ends in any way, and answers for it when the process is stopped or busy. It is found by its file and not by a
 * name, so it can be reached from every container that has the directory. It serves as the lock of the kernel, because
 * Node has no `flock`, and the locks of `node:sqlite` are lost when anything in the process opens and closes the file.
 */
import { closeSync, openSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { basename, dirname } from 'node:path'
import type { Life } from './process-identity.ts'

/** The greatest length of a socket's address, in bytes, on every system. Linux allows 107. */
const addressBytesMax = 100
const answerMsMax = 5000

export interface LifeSocket {
  close(): Promise<void>
}

/** Returns `undefined` if the file system or the system has no such sockets. */
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
  // A failed connection does no harm.
  server.on('error', () => undefined)
  server.unref()
  return { close: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** Whether a process listens on a socket, according to the kernel. */
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

/** Shortens a path that is too long for an address with the help of its open directory. */
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
