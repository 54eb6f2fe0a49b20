/** Makes a process a member of a cluster: `start({ store, cluster: cluster({ address, secret }) })`. */
import { HttpTransport, proofOf } from './http/http-transport.ts'
import { ClusterNode, type NodeOptions } from './node.ts'
import { type ClusterOptions, settleCluster } from './options.ts'

/** What a member gets from the domain that it runs. */
export type NodeParts = Omit<NodeOptions, 'transport' | 'secretProof' | 'leaseMs' | 'routeTimeoutMs'>

/** How a domain becomes a member of a cluster. It does nothing before the domain is started. */
export interface Cluster {
  /** Makes the member. It joins when the domain is ready. */
  readonly node: (parts: NodeParts) => ClusterNode
}

/**
 * The processes that share a store and a secret form a cluster. Each aggregate lives in one of them, and every process
 * accepts every command.
 *
 *     await Bank.start({ store: postgres(url), cluster: cluster({ address: '10.0.0.5:7400', secret }) })
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function cluster(options: ClusterOptions): Cluster {
  const { address, advertise, secret, leaseMs, routeTimeoutMs } = settleCluster(options)
  return Object.freeze({
    node(parts: NodeParts) {
      const transport = new HttpTransport({ address, advertise, secret })
      return new ClusterNode({ ...parts, transport, secretProof: proofOf(secret), leaseMs, routeTimeoutMs })
    },
  })
}
