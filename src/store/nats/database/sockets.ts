/**
 * Ends the sockets that the driver forgets. If a server accepts a connection and says nothing (a frozen one, or one
 * behind a proxy), the driver (version 3) gives the attempt up, but leaves its socket open. Each such attempt would
 * hold a socket until the server is back, and the process could not end. The driver tells nobody which sockets it
 * opens. Node does, and the asynchronous context says for whom.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** A connection of the driver's. It has one socket at a time. */
interface Owner {
  socket?: Socket
}

const owners = new AsyncLocalStorage<Owner | undefined>()

const endSocket = ({ socket }: Owner): void => void socket?.destroy()

/** Whoever connects again has given up the socket before. */
function takeNote(message: unknown): void {
  const owner = owners.getStore()
  if (owner === undefined) return
  endSocket(owner)
  owner.socket = (message as { readonly socket: Socket }).socket
}

subscribe('net.client.socket', takeNote)

/** Connects, and ends the socket if that fails, when the driver tries again, and when the connection is closed. */
export async function withoutLeftSockets<Connection extends { closed(): Promise<unknown> }>(
  connect: () => Promise<Connection>,
): Promise<Connection> {
  const owner: Owner = {}
  const end = () => endSocket(owner)
  try {
    const connection = await owners.run(owner, connect)
    void connection.closed().then(end, end)
    return connection
  } catch (error) {
    end()
    throw error
  }
}

/** Calls a function that the driver calls with a message. Sockets that it opens are not the driver's. */
export const outsideOfDriver = (call: () => void): void => owners.run(undefined, call)
