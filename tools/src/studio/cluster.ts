/** The members of a cluster, as far as the store knows them. */
import { readCluster } from '../../../src/cluster/index.ts'
import type { Inspection } from '../inspection/index.ts'
import type { ClusterInfo } from './views.ts'

/** @returns `null` if no process has ever joined one */
export async function clusterOf({ store }: Inspection): Promise<ClusterInfo | null> {
  const found = await readCluster(store)
  if (found === undefined) return null
  const { epoch, members, shardsTakenOver } = found
  return {
    epoch,
    members: members.map((each) => ({ ...each, joinedAt: each.joinedAt.toISOString() })),
    shardsTakenOver,
  }
}
