/** Makes a process a member of a cluster: `start({ store, cluster: cluster({ address, secret }) })`. */
import { HttpTransport, proofOf } from './http/http-transport.ts'
import { ClusterNode, type DomainNode, type NodeParts } from './node.ts'
import { type ClusterOptions, settleCluster } from './options.ts'
import { TenantsNode, type TenantsParts } from './tenants/tenants-node.ts'

/** How a domain becomes a part of a cluster. */
export interface DomainCluster {
  /** Makes the member. It joins when the domain is ready. */
  readonly node: (parts: NodeParts) => DomainNode
}

/** How a process becomes a member of a cluster. It does nothing before its domain is started. */
export interface Cluster extends DomainCluster {
  /** Makes a member that runs the domains of many tenants. */
  readonly tenantsNode: (parts: TenantsParts) => TenantsNode
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
    tenantsNode(parts: TenantsParts) {
      const transport = new HttpTransport({ address, advertise, secret })
      return new TenantsNode({ ...parts, transport, secretProof: proofOf(secret), leaseMs, routeTimeoutMs })
    },
  })
}
