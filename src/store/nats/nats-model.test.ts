/** The NATS store answers as the model does, on one server and on a cluster. */

import { place } from '../../../test/support/servers/nats-place.ts'
import { findNats, findNatsCluster } from '../../../test/support/servers/nats-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import { storeModel } from '../../testing/model/index.ts'

const options = { runs: 10, stepsMax: 40, injectedClock: false }

await onServer('NATS beside the model', findNats, (server) => {
  storeModel('nats', async () => place(server), options)
})

await onServer('A cluster of NATS beside the model', findNatsCluster, (cluster) => {
  storeModel('nats', async () => place(cluster, { replicas: 3 }), options)
})
