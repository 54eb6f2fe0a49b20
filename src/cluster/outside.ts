/** A cluster as somebody sees it who is no member: what its members have stored. */
import type { ProjectionStore } from '../store/store.ts'
import { Placement } from './placement.ts'
import { Sharing } from './sharing.ts'
import type { ClusterStatus, MemberStatus } from './status.ts'
import type { View } from './view.ts'
import { domainView, storedView } from './view-store.ts'

/** What the store knows of a cluster. What a member knows of itself, such as its live aggregates, is not stored. */
export interface ClusterView extends Pick<ClusterStatus, 'epoch' | 'owners' | 'shardsTakenOver'> {
  readonly members: readonly Omit<MemberStatus, 'isHeard'>[]
}

/**
 * The members of a cluster whose domain keeps its rows in this store. One that was killed is among them until another
 * member has noticed it.
 *
 * @returns `undefined` if no process has ever joined a cluster
 * @throws StoreError
 */
export async function readCluster(
  store: Pick<ProjectionStore, 'loadRowsWithCheckpoint'>,
): Promise<ClusterView | undefined> {
  const view = await storedView(store, domainView)
  return view.epoch === 0 ? undefined : membersIn(view, new Placement(view), new Sharing(view.members))
}

/** What follows from a view for each member. */
export function membersIn(view: View, placement: Placement, sharing: Sharing): ClusterView {
  const names = [...new Set(view.members.flatMap(({ knows }) => Object.keys(knows)))]
  return {
    epoch: view.epoch,
    members: view.members.map(({ id, address, joinedAt, isLeaving }) => ({
      id,
      address,
      joinedAt: new Date(joinedAt),
      isLeaving,
      shards: Object.fromEntries(names.map((name) => [name, placement.shardsOf(name).get(id) ?? 0])),
      follows: sharing.followersOf(id),
    })),
    owners: Object.fromEntries(names.map((name) => [name, placement.ownersOf(name).map((owner) => owner?.id)])),
    shardsTakenOver: Object.keys(view.takenOver).length,
  }
}
