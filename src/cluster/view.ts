/**
 * The view of a cluster: its members, and shards that were taken over from a member that is still there. It is one row
 * in the store, and each change of it raises the epoch. The functions here change a view; who stores it is in
 * `view-store.ts`.
 */
import type { Json } from '../domain/json.ts'

/** What a member's program knows of an aggregate. */
export interface Knowledge {
  readonly commands: readonly string[]
  /** The newest revision of each event, by type. */
  readonly events: Readonly<Record<string, number>>
}

export interface Member {
  /** Unique for each start of a process. */
  readonly id: string
  /** Where other members connect: `host:port`. */
  readonly address: string
  /** In milliseconds since 1970, by the member's clock. */
  readonly joinedAt: number
  /** A member that leaves owns nothing. It still answers what it has begun. */
  readonly isLeaving: boolean
  /** By aggregate. */
  readonly knows: Readonly<Record<string, Knowledge>>
  /** The projections and reactions that it can run, by the names of their checkpoints. */
  readonly follows?: readonly string[]
}

export interface View {
  /** Shows who has the secret of the members, without telling it. Empty before the first member. */
  readonly secretProof: string
  /** Rises with every change. 0 before the first member. */
  readonly epoch: number
  readonly members: readonly Member[]
  /** Shards that a member took over because it could not reach their owner: the member's id, by shard. */
  readonly takenOver: Readonly<Record<string, string>>
}

/** A view without its epoch, as it is stored. */
export type Content = Omit<View, 'epoch'>

export const emptyContent: Content = { secretProof: '', members: [], takenOver: {} }

/** A view with one more member. A change of the members gives all shards back to their owners. */
export const withMember = ({ members }: Content, member: Member, secretProof: string): Content => ({
  secretProof,
  // A member that joined earlier at the same address has ended: this one listens there now.
  members: [...members.filter((other) => !isReplacedBy(other, member)), member],
  takenOver: {},
})

const isReplacedBy = (one: Member, other: Member): boolean =>
  one.address === other.address && one.joinedAt <= other.joinedAt

export const withoutMember = ({ secretProof, members }: Content, gone: string): Content => ({
  secretProof,
  members: members.filter(({ id }) => id !== gone),
  takenOver: {},
})

/** A view in which a member is about to leave. */
export const withLeaving = ({ secretProof, members }: Content, leaving: string): Content => ({
  secretProof,
  members: members.map((member) => (member.id === leaving ? { ...member, isLeaving: true } : member)),
  takenOver: {},
})

export const withTakenOver = (
  { secretProof, members, takenOver }: Content,
  shards: readonly number[],
  by: string,
): Content => ({
  secretProof,
  members,
  takenOver: { ...takenOver, ...Object.fromEntries(shards.map((shard) => [shard, by])) },
})

export const asJson = ({ secretProof, members, takenOver }: Content): Json =>
  ({ secretProof, members, takenOver }) as unknown as Json
/** @param stored what `asJson` returned, or `undefined` if nothing is stored */
export const fromJson = (stored: Json | undefined): Content =>
  stored === undefined ? emptyContent : (stored as unknown as Content)
