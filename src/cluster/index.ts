/** The exports of `mneme/cluster`. */
export { type Cluster, cluster } from './cluster.ts'
export type { ClusterOptions } from './options.ts'
export type { ClusterStatus, MemberStatus } from './status.ts'
