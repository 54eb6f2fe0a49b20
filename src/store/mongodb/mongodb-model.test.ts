/** The MongoDB store answers as the model does, on a replica set and on a single server. */

import { freshPlace } from '../../../test/support/servers/mongodb-place.ts'
import { findFerretdb, findMongodb } from '../../../test/support/servers/mongodb-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import { storeModel } from '../../testing/model/index.ts'

// The test servers are slow. A few sequences in each run find as much over time as many in one run.
const options = { runs: 10, stepsMax: 40, injectedClock: false }

await onServer('MongoDB beside the model', findMongodb, (server) => {
  storeModel('mongodb', () => freshPlace(server), options)
})

await onServer('FerretDB beside the model', findFerretdb, (server) => {
  storeModel('mongodb', () => freshPlace(server), options)
})
