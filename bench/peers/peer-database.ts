/** A database of a peer's own on the server: the peers' tables have names of their own choosing. */
import { connect } from '../location.ts'
import type { Place } from '../setting.ts'

/**
 * Makes an empty database that is called as the place's schema would be, and gives its URL. The benchmark drops it at
 * the end.
 */
export async function makeDatabase({ url, path }: Place): Promise<string> {
  const client = await connect(url)
  await client.query(`CREATE DATABASE ${client.escapeIdentifier(path)}`)
  await client.end()
  const own = new URL(url)
  own.pathname = `/${encodeURIComponent(path)}`
  return own.href
}
