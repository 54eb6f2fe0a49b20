/** The PostgreSQL store answers as the model does. */

import { place } from '../../../test/servers/postgres-place.ts'
import { findPostgres } from '../../../test/servers/postgres-server.ts'
import { onServer } from '../../../test/servers/server.ts'
import { storeModel } from '../../testing/model/index.ts'

await onServer('PostgreSQL', findPostgres, (server) => {
  storeModel('postgres', async () => place(server, { listen: false }), { runs: 40 })
})
