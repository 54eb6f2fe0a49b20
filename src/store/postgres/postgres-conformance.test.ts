/** The conformance kit on the newest PostgreSQL, and on the installed one. */

import { place } from '../../../test/support/servers/postgres-place.ts'
import { findPostgres, findSystemPostgres } from '../../../test/support/servers/postgres-server.ts'
import { type FindServer, onServer } from '../../../test/support/servers/server.ts'
import { leftOut } from '../../../test/support/size.ts'
import { storeConformance } from '../../testing/conformance/index.ts'

const findInstalled: FindServer = async () => (leftOut === undefined ? findSystemPostgres() : { missing: leftOut })

for (const [title, find] of Object.entries({ embedded: findPostgres, installed: findInstalled })) {
  await onServer(`PostgreSQL, ${title}`, find, (server) => {
    storeConformance('postgres', async () => place(server), { injectedClock: false })
  })
}
