/** The contract of the port, on the newest PostgreSQL and on what is installed. */

import { place } from '../../../test/support/servers/postgres-place.ts'
import { findPostgres, findSystemPostgres } from '../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import { storeConformance } from '../../testing/conformance/index.ts'

for (const [title, find] of Object.entries({ embedded: findPostgres, installed: findSystemPostgres })) {
  await onServer(`PostgreSQL, ${title}`, find, (server) => {
    storeConformance('postgres', async () => place(server), { injectedClock: false })
  })
}
