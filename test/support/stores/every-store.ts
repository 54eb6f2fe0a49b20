/**
 * The stores on which whole domains are tested: a line each. A place is a fresh, empty store that is removed when its
 * test is over. Stores on servers get one server for all tests of a file; where there is none, their tests are skipped
 * with the reason.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { memory } from '../../../src/index.ts'
import { file } from '../../../src/store/file/index.ts'
import { mongodb } from '../../../src/store/mongodb/index.ts'
import { nats } from '../../../src/store/nats/index.ts'
import { postgres } from '../../../src/store/postgres/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import type { StoreFactory } from '../../../src/store/store.ts'
import { findMongodb } from '../servers/mongodb-server.ts'
import { dropStreams, freshPrefix } from '../servers/nats-place.ts'
import { findNats } from '../servers/nats-server.ts'
import { dropSchema, freshSchema } from '../servers/postgres-place.ts'
import { findPostgres } from '../servers/postgres-server.ts'
import { type FindServer, onServer, type TestServer } from '../servers/server.ts'
import { leftOut } from '../size.ts'

type StoreName = 'memory' | 'file' | 'sqlite' | 'postgres' | 'mongodb' | 'nats'

/** A kind of store under test. */
export interface StoreUnderTest {
  readonly name: StoreName
  /** Whether several may be open on one place at once. */
  readonly severalWriters: boolean
  /** Whether the handlers of projections as code get SQL, in the transaction of their checkpoint. */
  readonly transactions: boolean
  /** Whether leases run out by the domain's clock, not by a server's. */
  readonly injectedClock: boolean
  /** Makes a fresh store for a test. */
  place(test: TestContext): Promise<StoreFactory>
}

/** A kind of store that lives on a server. */
interface ServedStore extends Omit<StoreUnderTest, 'place'> {
  readonly find: FindServer
  place(test: TestContext, server: TestServer): Promise<StoreFactory>
}

const embedded: readonly StoreUnderTest[] = [
  {
    name: 'memory',
    severalWriters: true,
    transactions: false,
    injectedClock: true,
    place: async () => memory(),
  },
  {
    name: 'file',
    severalWriters: false,
    transactions: false,
    injectedClock: true,
    place: (t) => inFolder(t, (folder) => file(join(folder, 'log'))),
  },
  {
    name: 'sqlite',
    severalWriters: true,
    transactions: true,
    injectedClock: true,
    place: (t) => inFolder(t, (folder) => sqlite(join(folder, 'log.db'))),
  },
]

const served: readonly ServedStore[] = [
  {
    name: 'postgres',
    severalWriters: true,
    transactions: true,
    injectedClock: false,
    find: findPostgres,
    place: async (t, server) => {
      const schema = freshSchema()
      t.after(() => dropSchema(server, schema))
      return postgres(server.url, { schema })
    },
  },
  {
    name: 'mongodb',
    severalWriters: true,
    transactions: false,
    injectedClock: false,
    find: findMongodb,
    // Its data goes away with the server.
    place: async (_, server) => mongodb(server.url, { database: `every-${randomUUID()}` }),
  },
  {
    name: 'nats',
    severalWriters: true,
    transactions: false,
    injectedClock: false,
    find: findNats,
    place: async (t, server) => {
      const prefix = freshPrefix()
      t.after(() => dropStreams(server, prefix))
      return withoutWarning('DURABILITY_WEAKENED', nats(server.url, { prefix }))
    },
  },
]

/** A single server of NATS is warned about at every start, which is not what tests on every store are about. */
const withoutWarning = (code: string, { name, open }: StoreFactory): StoreFactory => ({
  name,
  open: (options) => open({ ...options, warn: (warning) => warning.code !== code && options.warn(warning) }),
})

async function inFolder(test: TestContext, make: (folder: string) => StoreFactory): Promise<StoreFactory> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-every-store-'))
  test.after(() => rm(folder, { recursive: true, force: true }))
  return make(folder)
}

/** Declares tests only of stores that are able to do what they are about. */
export const testWhere = (able: boolean): typeof test => (able ? test : ((() => Promise.resolve()) as typeof test))

/** The stores that the names of wanted tests say, as in `--name='on sqlite'`. No server of another one is started. */
const namedStores: readonly string[] = process.execArgv
  .filter((arg) => arg.startsWith('--test-name-pattern'))
  .flatMap((arg) => [...arg.matchAll(/\bon (memory|file|sqlite|postgres|mongodb|nats)\b/g)].map(([, name]) => name!))

/** What tests on every store are listed under, and where the quick run does them. */
interface EveryStore {
  readonly title: string
  /** The stores on which the quick run does them; on the others it reports them as skipped. */
  readonly quickOn: readonly StoreName[]
}

/** The simplest store, and the default for one machine. Each store also has tests of its own, and the same contract. */
const usuallyQuickOn: readonly StoreName[] = ['memory', 'sqlite']

/**
 * Declares tests on every store. To be awaited at the top of a test file.
 *
 * @param what the title alone, if the quick run does them on memory and SQLite
 */
export async function onEveryStore(what: string | EveryStore, declare: (store: StoreUnderTest) => void): Promise<void> {
  const { title, quickOn } = typeof what === 'string' ? { title: what, quickOn: usuallyQuickOn } : what
  const isLeftOut = (name: StoreName): boolean => {
    if (namedStores.length > 0 && !namedStores.includes(name)) return true
    if (leftOut === undefined || quickOn.includes(name)) return false
    test(`${title}, on ${name}`, { skip: leftOut }, () => {})
    return true
  }
  for (const store of embedded) {
    if (!isLeftOut(store.name)) describe(`${title}, on ${store.name}`, () => declare(store))
  }
  for (const { find, ...store } of served) {
    if (isLeftOut(store.name)) continue
    await onServer(`${title}, on ${store.name}`, find, (server) =>
      declare({ ...store, place: (t) => store.place(t, server) }),
    )
  }
}
