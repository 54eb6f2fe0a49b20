/**
 * The stores on servers, for `every-store.ts`. It imports this file only if a store of it is wanted: the drivers take a
 * third of a second to load, and most files need none of them in the quick run.
 */
import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { mongodb } from '../../../src/store/mongodb/index.ts'
import { nats } from '../../../src/store/nats/index.ts'
import { postgres } from '../../../src/store/postgres/index.ts'
import type { StoreFactory } from '../../../src/store/store.ts'
import { findMongodb } from '../servers/mongodb-server.ts'
import { dropStreams, freshPrefix } from '../servers/nats-place.ts'
import { findNats } from '../servers/nats-server.ts'
import { dropSchema, freshSchema } from '../servers/postgres-place.ts'
import { findPostgres } from '../servers/postgres-server.ts'
import type { FindServer, TestServer } from '../servers/server.ts'
import type { ServedName, StoreUnderTest } from './store-under-test.ts'

/** A kind of store that lives on a server. */
interface ServedStore extends Omit<StoreUnderTest, 'place' | 'name'> {
  readonly find: FindServer
  place(test: TestContext, server: TestServer): Promise<StoreFactory>
}

export const servedStores: Readonly<Record<ServedName, ServedStore>> = {
  postgres: {
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
  mongodb: {
    severalWriters: true,
    transactions: false,
    injectedClock: false,
    find: findMongodb,
    // Its data goes away with the server.
    place: async (_, server) => mongodb(server.url, { database: `every-${randomUUID()}` }),
  },
  nats: {
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
}

/** A single server of NATS is warned about at every start, which is not what tests on every store are about. */
const withoutWarning = (code: string, { name, open }: StoreFactory): StoreFactory => ({
  name,
  open: (options) => open({ ...options, warn: (warning) => warning.code !== code && options.warn(warning) }),
})
