/** The PostgreSQL store answers as the model does. */

import { place } from '../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import { sized } from '../../../test/support/size.ts'
import { storeModel } from '../../testing/model/index.ts'

await onServer('PostgreSQL', findPostgres, (server) => {
  storeModel('postgres', async () => place(server, { listen: false }), {
    runs: sized(30, 8),
    injectedClock: false,
  })
})
