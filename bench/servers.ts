/**
 * The servers that some stores need: started once for a benchmark, and told to the processes that measure. PostgreSQL
 * and NATS come from where the tests have them, with their own settings and durable writes. MongoDB is measured only on
 * a server that is given, since what stands in for it where there is none seeks in other ways.
 */
import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { MongoClient } from 'mongodb'
import { findMongodb } from '../test/support/servers/mongodb-server.ts'
import { findNats, startNats } from '../test/support/servers/nats-server.ts'
import { findPostgres } from '../test/support/servers/postgres-server.ts'
import type { FindServer } from '../test/support/servers/server.ts'
import type { StoreName } from './figure.ts'
import { connect, connectNats } from './location.ts'

export interface Servers {
  /** Where each is. */
  readonly urls: Readonly<Partial<Record<StoreName, string>>>
  /** What each is, with its version. */
  readonly names: Readonly<Partial<Record<StoreName, string>>>
  /** Why a store is left out. */
  readonly missing: Readonly<Partial<Record<StoreName, string>>>
  /** Removes what a benchmark has left on them, and ends those that were started. */
  readonly close: () => Promise<void>
}

/** What `statfs` calls a file system in memory. */
const memoryFileSystem = 0x01021994

/** A kind of server: how it is had, and how what a benchmark left on it is removed. */
interface Kind {
  readonly find: FindServer
  readonly clear: (url: string, run: string) => Promise<void>
}

const kinds: Readonly<Partial<Record<StoreName, Kind>>> = {
  postgres: { find: findDurablePostgres, clear: clearPostgres },
  mongodb: { find: findGivenMongodb, clear: clearMongodb },
  nats: { find: findDurableNats, clear: clearNats },
}

/**
 * Starts what these stores need.
 *
 * @param run what the names of everything begin with that the benchmark keeps on a server
 */
export async function startServers(stores: readonly StoreName[], run: string): Promise<Servers> {
  const urls: Partial<Record<StoreName, string>> = {}
  const names: Partial<Record<StoreName, string>> = {}
  const missing: Partial<Record<StoreName, string>> = {}
  const endings: (() => Promise<void>)[] = []
  for (const store of stores) {
    const kind = kinds[store]
    if (kind === undefined) continue
    const server = await kind.find()
    if ('missing' in server) {
      missing[store] = server.missing
      continue
    }
    const { url } = server
    urls[store] = url
    names[store] = server.name
    endings.push(async () => {
      await kind.clear(url, run)
      await server.close()
    })
  }
  const close = async (): Promise<void> => {
    for (const end of endings) await end()
  }
  return { urls, names, missing, close }
}

const inMemory = {
  missing: 'the folder for temporary files is in memory, where nothing is durable; set TMPDIR to one on a disk',
}
const isInMemory = (): boolean => statfsSync(tmpdir()).type === memoryFileSystem

async function findDurablePostgres(): ReturnType<FindServer> {
  return process.env['MNEME_POSTGRES_URL'] === undefined && isInMemory() ? inMemory : findPostgres()
}

async function findDurableNats(): ReturnType<FindServer> {
  if (process.env['MNEME_NATS_URL'] !== undefined) return findNats()
  return isInMemory() ? inMemory : startNats()
}

async function findGivenMongodb(): ReturnType<FindServer> {
  if (process.env['MNEME_MONGODB_URL'] === undefined) return { missing: 'MNEME_MONGODB_URL names no server' }
  return findMongodb()
}

/** Drops the schemas and databases of a benchmark; those of a process that ended too early among them. */
async function clearPostgres(url: string, run: string): Promise<void> {
  const client = await connect(url)
  const namesOf = async (text: string): Promise<readonly string[]> => {
    const { rows } = await client.query<{ name: string }>(text, [run])
    return rows.map(({ name }) => client.escapeIdentifier(name))
  }
  const schemas = await namesOf('SELECT nspname AS name FROM pg_namespace WHERE starts_with(nspname, $1)')
  for (const schema of schemas) await client.query(`DROP SCHEMA ${schema} CASCADE`)
  const databases = await namesOf('SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)')
  for (const database of databases) await client.query(`DROP DATABASE ${database} WITH (FORCE)`)
  await client.end()
}

async function clearMongodb(url: string, run: string): Promise<void> {
  const client = new MongoClient(url)
  const { databases } = await client.db().admin().listDatabases({ nameOnly: true })
  for (const { name } of databases) if (name.startsWith(run)) await client.db(name).dropDatabase()
  await client.close()
}

async function clearNats(url: string, run: string): Promise<void> {
  const connection = await connectNats(url)
  const { data } = await connection.request('$JS.API.STREAM.NAMES', '{}', { timeout: 10_000 })
  const { streams } = JSON.parse(new TextDecoder().decode(data)) as { readonly streams: readonly string[] | null }
  for (const name of streams ?? []) {
    if (name.startsWith(run)) await connection.request(`$JS.API.STREAM.DELETE.${name}`, '', { timeout: 10_000 })
  }
  await connection.close()
}
