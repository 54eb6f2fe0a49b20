/** The status of a process without a cluster: it is the only member, and owns everything. */
import type { AnyAggregate } from '../domain/aggregate.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Environment } from '../runtime/environment.ts'
import { deepFreeze } from '../runtime/freeze.ts'
import { shardCount } from './placement.ts'
import type { ClusterStatus } from './status.ts'

interface AloneOptions {
  readonly kernel: Kernel
  readonly environment: Environment
  readonly aggregates: readonly AnyAggregate[]
  /** The projections and reactions that run here. */
  readonly follows: readonly string[]
  /** Aborted when the domain stops. */
  readonly stopped: AbortSignal
}

export class Alone {
  readonly #options: AloneOptions
  readonly #id: string
  readonly #startedAt: number

  constructor(options: AloneOptions) {
    this.#options = options
    this.#id = options.environment.newId()
    this.#startedAt = options.environment.now()
  }

  status(): ClusterStatus {
    const { kernel, aggregates, follows } = this.#options
    const shards = Object.fromEntries(aggregates.map(({ name }) => [name, shardCount]))
    const owners = Object.fromEntries(
      aggregates.map(({ name }) => [name, new Array<string>(shardCount).fill(this.#id)]),
    )
    const facts = { joinedAt: new Date(this.#startedAt), isLeaving: false, isHeard: true }
    return deepFreeze({
      self: this.#id,
      epoch: 0,
      members: [{ id: this.#id, address: '', ...facts, shards, follows }],
      owners,
      shardsTakenOver: 0,
      liveAggregates: kernel.load.liveAggregates,
      commandsForwarded: 0,
      longestPauseMs: 0,
    })
  }

  async *changes(): AsyncGenerator<ClusterStatus, void, void> {
    const { stopped } = this.#options
    if (stopped.aborted) return
    yield this.status()
    await new Promise((resolve) => stopped.addEventListener('abort', resolve, { once: true }))
  }
}
