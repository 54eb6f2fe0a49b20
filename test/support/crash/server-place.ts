/**
 * Places on the servers of the tests: a schema or a database that nobody else has, and that goes away with the test.
 */
import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { Client } from 'pg'
import { findMongodb } from '../servers/mongodb-server.ts'
import { dropStreams } from '../servers/nats-place.ts'
import { findNats } from '../servers/nats-server.ts'
import { findPostgres } from '../servers/postgres-server.ts'
import type { FindServer, TestServer } from '../servers/server.ts'
import type { Pace } from './ordeal.ts'
import type { ServerPlace } from './writer-protocol.ts'

/** The kinds of servers whose stores are tested alike. */
export const serverKinds: readonly {
  readonly store: ServerPlace['store']
  readonly name: string
  readonly find: FindServer
  /** The stand-ins for MongoDB search where it seeks, so they are asked for less. */
  readonly pace: Pace
}[] = [
  { store: 'postgres', name: 'PostgreSQL', find: findPostgres, pace: { callers: 16, backlogMax: 200 } },
  { store: 'mongodb', name: 'MongoDB', find: findMongodb, pace: { callers: 3, backlogMax: 30 } },
  { store: 'nats', name: 'NATS', find: findNats, pace: { callers: 16, backlogMax: 200 } },
]

/** A fresh place on a server. The server is told by its URL, so that a proxy may stand before it. */
export function serverPlace(
  context: TestContext,
  { url }: Pick<TestServer, 'url'>,
  store: ServerPlace['store'],
  options: Pick<ServerPlace, 'timeoutMs'> = {},
): ServerPlace {
  const name = `mneme-${randomUUID()}`
  const place = placeNamed(store, name, { url, ...options })
  context.after(() => removePlace(place))
  return place
}

function placeNamed(
  store: ServerPlace['store'],
  name: string,
  way: Pick<ServerPlace, 'url' | 'timeoutMs'>,
): ServerPlace {
  switch (store) {
    case 'postgres':
      return { store, schema: name, ...way }
    case 'mongodb':
      return { store, database: name, ...way }
    case 'nats':
      return { store, prefix: name, ...way }
  }
}

/** The same place by another way. */
export const placeBy = (place: ServerPlace, url: string): ServerPlace => ({ ...place, url })

async function removePlace(place: ServerPlace): Promise<void> {
  if (place.store === 'postgres') {
    await withPostgres(place, (client) => client.query(`DROP SCHEMA IF EXISTS "${place.schema}" CASCADE`))
  } else if (place.store === 'nats') {
    await dropStreams(place, place.prefix)
  } else {
    const { MongoClient } = await import('mongodb')
    await using client = new MongoClient(place.url)
    await client.db(place.database).dropDatabase()
  }
}

/** Does something on a connection to PostgreSQL that knows nothing of a store. */
export async function withPostgres<Result>(
  { url }: { readonly url: string },
  use: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end().catch(() => {})
  }
}
