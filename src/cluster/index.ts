/** The exports of `mneme/cluster`. */
export { type Cluster, cluster } from './cluster.ts'
export type { CoreContext, CoresOptions } from './cores/options.ts'
export { runOnAllCores } from './cores/run-on-all-cores.ts'
export type { ClusterOptions } from './options.ts'
export { type ClusterView, readCluster } from './outside.ts'
export type { ClusterStatus, MemberStatus } from './status.ts'
