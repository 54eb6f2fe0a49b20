/**
 * Which member owns a stream. Streams are divided into shards, and each shard belongs to the member with the highest
 * score for it (rendezvous hashing). When a member comes or goes, only its own shards move. All members compute the
 * same from the same view.
 *
 * During a deployment, members run different programs. An aggregate lives on members that know everything of it that
 * any member knows: all its commands and the newest revisions of its events.
 */
import type { StreamId } from '../domain/stream.ts'
import { digestOf } from '../kernel/digest.ts'
import type { Knowledge, Member, View } from './view.ts'

export const shardCount: number = 256

/** The shard of a stream. It must never change: members of different versions have to agree. */
export const shardOf = ({ aggregate, id }: StreamId): number => digestOf([aggregate, id]) % shardCount

export class Placement {
  readonly #members: readonly Member[]
  readonly #byId: ReadonlyMap<string, Member>
  /** The member that owns everything, if there is only one. */
  readonly #only: Member | undefined
  readonly #takenOver: View['takenOver']
  /** The owner of each shard, for each aggregate that was asked for. */
  readonly #owners = new Map<string, readonly (Member | undefined)[]>()

  constructor({ members, takenOver }: Pick<View, 'members' | 'takenOver'>) {
    this.#byId = new Map(members.map((member) => [member.id, member]))
    this.#members = members.filter(({ isLeaving }) => !isLeaving)
    const isUndivided = this.#members.length === 1 && Object.keys(takenOver).length === 0
    this.#only = isUndivided ? this.#members[0] : undefined
    this.#takenOver = takenOver
  }

  /** The owner of a stream, or `undefined` if no member knows the aggregate. */
  ownerOf(stream: StreamId, shard?: number): Member | undefined {
    const only = this.#only
    // With a lone member, nobody need look for the shard.
    if (only !== undefined) return Object.hasOwn(only.knows, stream.aggregate) ? only : undefined
    return this.ownersOf(stream.aggregate)[shard ?? shardOf(stream)]
  }

  /** The owner of each shard of an aggregate, by the shard. */
  ownersOf(aggregate: string): readonly (Member | undefined)[] {
    let owners = this.#owners.get(aggregate)
    if (owners === undefined) {
      owners = this.#ownersFor(aggregate)
      this.#owners.set(aggregate, owners)
    }
    return owners
  }

  /** Whether a member owns a stream. */
  isOwner(id: string, stream: StreamId, shard?: number): boolean {
    return this.ownerOf(stream, shard)?.id === id
  }

  /** How many shards of an aggregate each member owns, by the member's id. */
  shardsOf(aggregate: string): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const owner of this.ownersOf(aggregate)) {
      if (owner !== undefined) counts.set(owner.id, (counts.get(owner.id) ?? 0) + 1)
    }
    return counts
  }

  #ownersFor(aggregate: string): readonly (Member | undefined)[] {
    const members = this.#members
    const able = ableOf(members, aggregate)
    // A member that leaves may have taken over a shard to answer its last commands.
    const canTake = (taker: Member) => able.includes(taker) || ableOf([...members, taker], aggregate).includes(taker)
    return Array.from({ length: shardCount }, (_, shard) => {
      const taker = this.#byId.get(this.#takenOver[shard] ?? '')
      return taker !== undefined && canTake(taker) ? taker : highest(able, shard)
    })
  }
}

/** The member with the highest score for a shard. */
export function highest(members: readonly Member[], shard: number): Member | undefined {
  let best: Member | undefined
  let bestScore = -1
  for (const member of members) {
    const score = digestOf([member.id, shard])
    // Equal scores are as good as impossible; the id decides, so that all members decide the same.
    if (score > bestScore || (score === bestScore && member.id > best!.id)) [best, bestScore] = [member, score]
  }
  return best
}

/** The members that can own instances of an aggregate: those that know it, but none that knows less than another. */
function ableOf(members: readonly Member[], aggregate: string): readonly Member[] {
  const knowing = members.filter(({ knows }) => Object.hasOwn(knows, aggregate))
  const of = ({ knows }: Member) => knows[aggregate]!
  return knowing.filter((member) => !knowing.some((other) => knowsMore(of(other), of(member))))
}

/** Whether one program knows all that another one knows of an aggregate, and something else. */
function knowsMore(one: Knowledge, other: Knowledge): boolean {
  return covers(one, other) && !covers(other, one)
}

function covers(one: Knowledge, other: Knowledge): boolean {
  return (
    other.commands.every((name) => one.commands.includes(name)) &&
    Object.entries(other.events).every(([type, revision]) => (one.events[type] ?? 0) >= revision)
  )
}
