/**
 * Where the projections and reactions of tenants run: each tenant has a home, the member that owns its shard, and all
 * of them run there. While two versions of a program run, a projection that only some members know runs at one of
 * these. All members compute the same from the same view. Nobody relies on it: leases decide who runs what.
 */
import { highest, type Placement, shardCount } from '../placement.ts'
import type { Member, View } from '../view.ts'

export class Homes {
  readonly #members: readonly Member[]
  readonly #placement: Placement
  readonly #names: readonly string[]
  readonly #aggregates: readonly string[]
  readonly #shards = new Map<string, ReadonlyMap<number, string>>()

  constructor(view: View, placement: Placement) {
    this.#members = view.members.filter(({ isLeaving }) => !isLeaving)
    this.#placement = placement
    this.#names = [...new Set(this.#members.flatMap(({ follows = [] }) => follows))].sort()
    this.#aggregates = [...new Set(this.#members.flatMap(({ knows }) => Object.keys(knows)))].sort()
  }

  /** The member that should run a projection or a reaction of the tenants of a shard. */
  memberFor(name: string, shard: number): string | undefined {
    return highest(
      this.#members.filter(({ follows = [] }) => follows.includes(name)),
      shard,
    )?.id
  }

  /** Whether a member should run anything of the tenants of a shard. */
  isAt(id: string, shard: number): boolean {
    return this.shardsOf(id).has(shard)
  }

  /**
   * The shards whose tenants have their home at a member, each with all members that decide or run anything of them. If
   * that changes, work of another member may have been left.
   */
  shardsOf(id: string): ReadonlyMap<number, string> {
    const known = this.#shards.get(id)
    if (known !== undefined) return known
    const shards = new Map<number, string>()
    this.#shards.set(id, shards)
    for (let shard = 0; shard < shardCount; shard++) {
      const runners = this.#names.map((name) => this.memberFor(name, shard))
      if (!runners.includes(id)) continue
      const deciders = this.#aggregates.map((aggregate) => this.#placement.ownersOf(aggregate)[shard]?.id)
      shards.set(shard, [...new Set([...runners, ...deciders])].sort().join(' '))
    }
    return shards
  }
}
