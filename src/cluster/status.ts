/** What a member knows of its cluster. */

export interface MemberStatus {
  readonly id: string
  readonly address: string
  readonly joinedAt: Date
  /** Whether it stops. Its streams belong to others already. */
  readonly isLeaving: boolean
  /** Whether this member has lately heard of it. */
  readonly isHeard: boolean
  /** How many shards of each aggregate it owns, of 256. */
  readonly shards: Readonly<Record<string, number>>
  /**
   * The projections and reactions that it should run, by their names; `reaction` stands before that of a reaction. The
   * lease decides: for a moment, or if they do not run there, another member may run them.
   */
  readonly follows: readonly string[]
}

export interface ClusterStatus {
  /** The id of this member. */
  readonly self: string
  /** Rises whenever a member comes or goes, or takes something over. */
  readonly epoch: number
  readonly members: readonly MemberStatus[]
  /** The id of the member that owns each of the 256 shards, by aggregate. */
  readonly owners: Readonly<Record<string, readonly (string | undefined)[]>>
  /** Shards that are not with their usual owner, because a member could not reach it. */
  readonly shardsTakenOver: number
  /** Aggregates in the memory of this member. */
  readonly liveAggregates: number
  /** Commands that this member has sent to others since it joined. */
  readonly commandsForwarded: number
  /** The longest time that a command of this member waited because its stream got another owner, in milliseconds. */
  readonly longestPauseMs: number
}
