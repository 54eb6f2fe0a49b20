/** What the tests of the NATS store share: places of their own on a server, and commits. */
import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { StreamId } from '../../../src/domain/stream.ts'
import { type Commit, commit, type OfferedCommit, type OfferedEvent } from '../../../src/store/commit.ts'
import { type Database, openDatabase } from '../../../src/store/nats/database/setup.ts'
import { type NatsOptions, nats } from '../../../src/store/nats/index.ts'
import { settingsOf } from '../../../src/store/nats/options.ts'
import type { Store } from '../../../src/store/store.ts'
import type { StorePlace } from '../../../src/testing/conformance/kit.ts'
import type { TestServer } from './server.ts'

const opening = { warn: () => {}, now: () => 0 }
/** These servers may be slow. */
const timeoutMs = 60_000

export const freshPrefix = (): string => `mneme-${randomUUID()}`

/** Removes the streams of a store. */
export async function dropStreams({ url }: Pick<TestServer, 'url'>, prefix: string): Promise<void> {
  const { connect } = await import('@nats-io/transport-node')
  const connection = await connect({ servers: url.replace(/^nats:\/\/|\/$/g, '').split(',') })
  try {
    for (const name of [`${prefix}_log`, `${prefix}_state`]) {
      await connection.request(`$JS.API.STREAM.DELETE.${name}`, '', { timeout: 10_000 })
    }
  } finally {
    await connection.close()
  }
}

/** Streams of its own as a place for a store. */
export function place(server: TestServer, options: NatsOptions = {}): StorePlace {
  const prefix = freshPrefix()
  return {
    factory: nats(server.url, { prefix, timeoutMs, ...options }),
    cleanUp: () => dropStreams(server, prefix),
  }
}

/** A store with a prefix of its own, unless one is named, which goes away with the test. */
export async function openStore(
  context: TestContext,
  server: TestServer,
  { prefix = freshPrefix(), ...options }: NatsOptions = {},
): Promise<{ readonly store: Store; readonly prefix: string }> {
  const store = await nats(server.url, { prefix, timeoutMs, ...options }).open(opening)
  context.after(async () => {
    await store.close()
    await dropStreams(server, prefix)
  })
  return { store, prefix }
}

/** The parts below a store. */
export async function openDatabaseOf(
  context: TestContext,
  server: TestServer,
  { prefix = freshPrefix(), ...options }: NatsOptions = {},
): Promise<Database> {
  const database = await openDatabase(settingsOf(server.url, { prefix, timeoutMs, ...options }), opening)
  context.after(async () => {
    await database.connection.close()
    await dropStreams(server, prefix)
  })
  return database
}

export const streamOf = (id: string): StreamId => ({ aggregate: 'account', id })

export const eventsOf = (count: number): readonly OfferedEvent[] =>
  Array.from({ length: count }, (_, n) => ({ type: 'Deposited', data: { n } }))

/** A commit to an account, by default of one event. */
export const commitTo = (id: string, offered: Partial<OfferedCommit> = {}): Commit =>
  commit({
    ...{ stream: streamOf(id), expected: 'any', id: randomUUID(), recordedAt: 0, events: eventsOf(1) },
    ...offered,
  })
