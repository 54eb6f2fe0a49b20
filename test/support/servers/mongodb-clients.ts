/** Clients whose process dies at one of its writes, and those whose commands are held back. */
import type { Db, Document, MongoClient } from 'mongodb'

type Send = () => Promise<Document>

/** A client on whose commands somebody else has a hand. */
export function interceptedClient(
  client: MongoClient,
  intercept: (command: Document, send: Send) => Promise<Document>,
): MongoClient {
  const bound = <Target extends object>(target: Target, replaced: Readonly<Record<string, unknown>>): Target =>
    new Proxy(target, {
      get: (of, name) => {
        const found = typeof name === 'string' && name in replaced ? replaced[name] : Reflect.get(of, name)
        return typeof found === 'function' ? found.bind(of) : found
      },
    })
  const db = (...given: Parameters<MongoClient['db']>): Db => {
    const real = client.db(...given)
    const command = (sent: Document, options: object) => intercept(sent, () => real.command(sent, options))
    return bound(real, { command })
  }
  return bound(client, { db })
}

/**
 * A client whose nth write fails, before it reaches the server or after it was carried out, and all writes after it.
 */
export function dyingClient(
  client: MongoClient,
  nth: number,
  when: 'before' | 'after',
): { readonly client: MongoClient; readonly died: () => boolean } {
  let writes = 0
  const dying = interceptedClient(client, async (command, send) => {
    if (!['insert', 'update', 'delete', 'findAndModify'].some((name) => name in command)) return send()
    writes++
    if (writes > nth || (writes === nth && when === 'before')) throw new Error('gone')
    const reply = await send()
    if (writes === nth) throw new Error('gone')
    return reply
  })
  return { client: dying, died: () => writes >= nth }
}
