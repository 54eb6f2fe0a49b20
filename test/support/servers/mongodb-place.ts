/** What the tests of the MongoDB store share: places of their own on a server, and commits. */
import { randomUUID } from 'node:crypto'
import { after, before, describe, type TestContext, test } from 'node:test'
import { MongoClient } from 'mongodb'
import { checkedFactory } from '../../../src/store/checked-store.ts'
import { type Commit, commit, type OfferedCommit } from '../../../src/store/commit.ts'
import { type MongodbOptions, mongodb } from '../../../src/store/mongodb/index.ts'
import { MongodbStore } from '../../../src/store/mongodb/mongodb-store.ts'
import { settingsOf } from '../../../src/store/mongodb/options.ts'
import type { Store } from '../../../src/store/store.ts'
import { createRig, type StorePlace } from '../../../src/testing/conformance/kit.ts'
import { groups } from '../../../src/testing/conformance/store-conformance.ts'
import { noTransactions } from '../../../src/testing/conformance/transactions.ts'
import type { TestServer } from './server.ts'

export const opening: { readonly warn: () => void; readonly now: () => number } = { warn: () => {}, now: () => 0 }

export const freshDatabase = (): string => `mneme-${randomUUID()}`

/** Removes a database. */
export async function dropDatabase(server: TestServer, database: string): Promise<void> {
  await using client = new MongoClient(server.url)
  await client.db(database).dropDatabase()
}

/**
 * A database of its own as a place for a store. Its limits are lower than they are: the servers of the tests read whole
 * collections where MongoDB seeks, and one commit of 8 MB would slow down all that comes after it.
 */
export async function freshPlace(server: TestServer): Promise<StorePlace> {
  const database = freshDatabase()
  const settings = {
    ...settingsOf(server.url, { database, timeoutMs: 60_000 }),
    limits: { commitSizeMax: 300_000, commitEventsMax: 2000 },
  }
  return {
    factory: checkedFactory({ name: 'mongodb', open: (options) => MongodbStore.open(settings, options) }),
    cleanUp: () => dropDatabase(server, database),
  }
}

/** After so long a case counts as hanging: these servers are slow. */
const caseTimeoutMs = 600_000

/**
 * Declares the conformance kit, with a fresh place for each group of cases: what a group leaves behind would slow down
 * the next.
 */
export function conformanceByGroup(server: TestServer): void {
  const capabilities = { injectedClock: false, transactions: false }
  for (const { title, needs, cases } of [...groups, noTransactions]) {
    if (needs === 'injectedClock' || needs === 'transactions') continue
    const { kit, openShared, closeShared } = createRig(() => freshPlace(server), capabilities)
    describe(title, () => {
      before(openShared)
      after(closeShared)
      for (const [sentence, run] of Object.entries(cases)) test(sentence, { timeout: caseTimeoutMs }, () => run(kit))
    })
  }
}

/** Opens a store in a database that goes away with the test, its own unless it is named. */
export async function openStore(
  context: TestContext,
  server: TestServer,
  { database = freshDatabase(), ...options }: MongodbOptions = {},
): Promise<Store & { readonly database: string }> {
  const store = await mongodb(server.url, { database, ...options }).open(opening)
  context.after(async () => {
    await store.close()
    await dropDatabase(server, database)
  })
  return Object.assign(store, { database })
}

/** A client that knows nothing of the store, for as long as the test runs. */
export async function openClient(context: TestContext, server: TestServer): Promise<MongoClient> {
  const client = await new MongoClient(server.url, { retryWrites: false }).connect()
  context.after(() => client.close())
  return client
}

/** A commit of one event, by default of stream `account "ada"`; the rest as given. */
export function simpleCommit(id: string, offered: Partial<OfferedCommit> = {}): Commit {
  const events = [{ type: 'Deposited', data: { amount: 1 } }]
  const stream = { aggregate: 'account', id: 'ada' }
  return commit({ stream, expected: 'any', recordedAt: 0, events, ...offered, id })
}
