/**
 * Where each kind of store keeps what it is given, and how that goes away again. What lies on a server has the name of
 * the benchmark's folder in its own, so that two benchmarks may use one server.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Client } from 'pg'
import { memory, type StoreFactory } from '../src/index.ts'
import { file } from '../src/store/file/index.ts'
import { mongodb } from '../src/store/mongodb/index.ts'
import { nats } from '../src/store/nats/index.ts'
import { postgres } from '../src/store/postgres/index.ts'
import { sqlite } from '../src/store/sqlite/index.ts'
import type { StoreName } from './figure.ts'

export interface Location {
  /**
   * The file store's directory, the SQLite store's file, the schema in PostgreSQL, the database in MongoDB, the prefix
   * in NATS; memory has none.
   */
  readonly path: string
  /** Where the server is, if the store has one. */
  readonly url: string
  readonly factory: StoreFactory
  /** Deletes everything. */
  readonly remove: () => Promise<void>
}

interface Where {
  readonly store: StoreName
  readonly directory: string
  readonly url?: string
}

export function locate({ store, directory, url = '' }: Where, name: string): Location {
  if (store === 'postgres' || store === 'mongodb') {
    const path = `${basename(directory)}-${name}`
    return store === 'postgres'
      ? { path, url, factory: postgres(url, { schema: path }), remove: () => dropSchema(url, path) }
      : { path, url, factory: mongodb(url, { database: path }), remove: () => dropDatabase(url, path) }
  }
  if (store === 'nats') {
    const path = `${basename(directory)}-${name}`
    return { path, url, factory: nats(url, { prefix: path }), remove: () => dropStreams(url, path) }
  }
  const folder = join(directory, `${store}-${name}`)
  mkdirSync(folder, { recursive: true })
  const path = join(folder, store === 'sqlite' ? 'log.db' : 'log')
  const factory = store === 'memory' ? memory() : store === 'file' ? file(path) : sqlite(path)
  return { path, url, factory, remove: async () => rmSync(folder, { recursive: true, force: true }) }
}

/** Connects to PostgreSQL. The driver is loaded by those who need it, so that it weighs on nobody else. */
export async function connect(url: string): Promise<Client> {
  const { Client } = await import('pg')
  const client = new Client(url)
  await client.connect()
  return client
}

/** Drops a schema of PostgreSQL, if it is there. */
export async function dropSchema(url: string, schema: string): Promise<void> {
  const client = await connect(url)
  await client.query(`DROP SCHEMA IF EXISTS ${client.escapeIdentifier(schema)} CASCADE`)
  await client.end()
}

/** Connects to NATS. */
export async function connectNats(url: string): Promise<NatsConnection> {
  const { connect: connectTo } = await import('@nats-io/transport-node')
  return connectTo({ servers: url.replace(/^nats:\/\/|\/$/g, '').split(',') })
}

/** Deletes the streams of a store on NATS. */
export async function dropStreams(url: string, prefix: string): Promise<void> {
  const connection = await connectNats(url)
  for (const name of [`${prefix}_log`, `${prefix}_state`]) {
    await connection.request(`$JS.API.STREAM.DELETE.${name}`, '', { timeout: 10_000 })
  }
  await connection.close()
}

async function dropDatabase(url: string, name: string): Promise<void> {
  const { MongoClient } = await import('mongodb')
  const client = new MongoClient(url)
  await client.db(name).dropDatabase()
  await client.close()
}
