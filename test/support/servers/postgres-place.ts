/** What the tests of the PostgreSQL store share: schemas of their own, commits, and connections beside the store's. */
import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { Client } from 'pg'
import type { StoreWarning } from '../../../src/runtime/warning.ts'
import { type Commit, commit, type OfferedCommit } from '../../../src/store/commit.ts'
import { type PostgresOptions, postgres } from '../../../src/store/postgres/index.ts'
import type { Store } from '../../../src/store/store.ts'
import type { StorePlace } from '../../../src/testing/conformance/kit.ts'
import type { TestServer } from './server.ts'

/** A name that no other test uses, and that has to be quoted. */
export const freshSchema = (): string => `Mneme "${randomUUID().slice(0, 18)}"`

/** Does something on a connection that knows nothing of the store. */
export async function withClient<Result>(
  { url }: Pick<TestServer, 'url'>,
  use: (client: Client) => Result | Promise<Result>,
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

export const dropSchema = (server: Pick<TestServer, 'url'>, schema: string): Promise<void> =>
  withClient(server, async (client) => {
    await client.query(`DROP SCHEMA IF EXISTS ${client.escapeIdentifier(schema)} CASCADE`)
  })

/** A place for the conformance kit. */
export function place(server: TestServer, options: PostgresOptions = {}): StorePlace {
  const schema = freshSchema()
  const factory = postgres(server.url, { ...options, schema })
  return { factory, cleanUp: () => dropSchema(server, schema) }
}

/** Opens a store that is closed with the test, in a schema that goes away with it. */
export async function openStore(
  context: TestContext,
  { url }: Pick<TestServer, 'url'>,
  options: PostgresOptions = {},
  warn: (warning: StoreWarning) => void = () => {},
): Promise<Store> {
  const store = await postgres(url, options).open({ warn, now: () => 0 })
  context.after(() => store.close())
  return store
}

/** A commit of one event, by default of stream `account "ada"`; the rest as given. */
export function simpleCommit(id: string, offered: Partial<OfferedCommit> = {}): Commit {
  const events = [{ type: 'Deposited', data: { amount: 1 } }]
  const stream = { aggregate: 'account', id: 'ada' }
  return commit({ stream, expected: 'any', recordedAt: 0, events, ...offered, id })
}
