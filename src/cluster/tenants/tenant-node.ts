/** The place of one tenant's domain in a cluster, while it is open here. All tenants share one membership. */
import type { Outcome } from '../../domain/outcome.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { DispatchOptions } from '../../kernel/dispatch-options.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Ownership } from '../../kernel/ownership.ts'
import type { Membership } from '../membership.ts'
import type { DomainNode, NodeParts } from '../node.ts'
import { type Owners, Router } from '../router.ts'
import type { ClusterStatus } from '../status.ts'
import { shardOfTenant } from './catalog.ts'

/** What it needs of the member that it is a part of. */
export interface TenantNodeOptions extends Pick<NodeParts, 'environment' | 'keys' | 'observing'> {
  readonly tenant: string
  readonly membership: Membership
  readonly routeTimeoutMs: number
  /** The member that should run a projection or a reaction of it. */
  readonly memberFor: (name: string, shard: number) => string | undefined
  readonly status: (of: TenantNode) => ClusterStatus
  readonly onOpen: (node: TenantNode) => void
  readonly onEnd: (node: TenantNode) => void
}

export class TenantNode implements DomainNode {
  readonly #options: TenantNodeOptions
  readonly #owners: Owners
  readonly #ended = new AbortController()
  #kernel: Kernel | undefined
  #router: Router | undefined
  readonly shard: number
  readonly ownership: Ownership

  constructor(options: TenantNodeOptions) {
    const { tenant, membership } = options
    this.#options = options
    this.shard = shardOfTenant(tenant)
    this.#owners = ownersOf(membership, this.shard)
    const underWay = () => this.#router?.underWay ?? 0
    this.ownership = {
      get epoch() {
        return membership.epoch
      },
      get underWay() {
        return underWay()
      },
      confirm: (stream) => membership.confirm(stream, this.shard),
      owns: (stream) => membership.owns(stream, this.shard),
      sendOn: (stream, name, data, command) => this.#router!.sendOn(stream, name, data, command),
    }
  }

  get tenant(): string {
    return this.#options.tenant
  }

  get keys(): NodeParts['keys'] {
    return this.#options.keys
  }

  /** The kernel of the open domain. */
  get kernel(): Kernel {
    return this.#kernel!
  }

  get router(): Router {
    return this.#router!
  }

  async join(kernel: Kernel): Promise<void> {
    const { tenant, environment, keys, observing, routeTimeoutMs } = this.#options
    this.#kernel = kernel
    const parts = { tenant, kernel, membership: this.#owners, environment, routeTimeoutMs, keys, observing }
    this.#router = new Router(parts)
    this.#options.onOpen(this)
  }

  dispatch(stream: StreamId, name: string, data: unknown, options: DispatchOptions): Promise<Outcome> {
    return this.#router!.dispatch(stream, name, data, options)
  }

  betterPlace(name: string): string | undefined {
    const { membership, memberFor } = this.#options
    const better = memberFor(name, this.shard)
    return better === membership.id ? undefined : better
  }

  /**
   * The member stays: only this domain is closed here. If the process stops, and other members are lost, the domain
   * decides commands that were sent to them, so its kernel must not be stopped before.
   */
  async leave(): Promise<void> {
    await this.#router?.drain()
  }

  async drain(): Promise<void> {
    await this.#router?.drain()
  }

  async end(): Promise<void> {
    this.#ended.abort()
    this.#options.onEnd(this)
  }

  status(): ClusterStatus {
    return this.#options.status(this)
  }

  async *changes(): AsyncGenerator<ClusterStatus, void, void> {
    const { membership } = this.#options
    const over = new Promise<void>((resolve) => {
      this.#ended.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    while (!membership.ended.aborted && !this.#ended.signal.aborted) {
      const changed = membership.changed()
      yield this.status()
      await Promise.race([changed, over])
    }
  }
}

/** The owners of a tenant's streams: all of them belong to the shard of the tenant. */
function ownersOf(membership: Membership, shard: number): Owners {
  return {
    id: membership.id,
    ended: membership.ended,
    get epoch() {
      return membership.epoch
    },
    get isLeaving() {
      return membership.isLeaving
    },
    ownerOf: (stream) => membership.ownerOf(stream, shard),
    owns: (stream) => membership.owns(stream, shard),
    refresh: () => membership.refresh(),
    peerOf: (member) => membership.peerOf(member),
    hasEnded: (member) => membership.hasEnded(member),
    remove: (member, why) => membership.remove(member, why),
    takeOver: (stream, owner) => membership.takeOver(stream, owner, shard),
  }
}
