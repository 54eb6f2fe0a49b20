/** The conformance kit on one server, and on a cluster of three servers that keep everything three times. */

import { place } from '../../../test/support/servers/nats-place.ts'
import { findNats, findNatsCluster } from '../../../test/support/servers/nats-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import { storeConformance } from '../../testing/conformance/index.ts'

const capabilities = { injectedClock: false, transactions: false }

await onServer('NATS keeps the contract', findNats, (server) => {
  storeConformance('nats', async () => place(server), capabilities)
})

await onServer('NATS keeps the contract, on a cluster', findNatsCluster, (cluster) => {
  storeConformance('nats', async () => place(cluster, { replicas: 3 }), capabilities)
})
