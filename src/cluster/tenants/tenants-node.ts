/**
 * One member of a cluster that runs the domains of many tenants. A tenant lives as a whole at the owner of its shard:
 * its aggregates, its projections and its reactions. The member opens the domains that it owns or is called for, and
 * lets those be woken whose home it becomes.
 */
import type { AnyAggregate } from '../../domain/aggregate.ts'
import { Moved } from '../../kernel/moved.ts'
import { type Environment, sleep } from '../../runtime/environment.ts'
import { deepFreeze } from '../../runtime/freeze.ts'
import type { Store } from '../../store/store.ts'
import { Membership, type MembershipOptions } from '../membership.ts'
import { type DomainNode, knowledgeOf, type NodeParts } from '../node.ts'
import { membersIn } from '../outside.ts'
import { type Decider, Serving } from '../serving.ts'
import { Sharing } from '../sharing.ts'
import type { ClusterStatus } from '../status.ts'
import type { Link } from '../transport.ts'
import type { SentCommand } from '../wire.ts'
import { Catalog, shardOfTenant } from './catalog.ts'
import { Homes } from './homes.ts'
import { TenantNode } from './tenant-node.ts'

/** What a member gets from the tenants that it runs. */
export interface TenantsParts {
  /** Where the members find each other, and which tenants there are. */
  readonly store: Store
  readonly environment: Environment
  readonly warn: MembershipOptions['warn']
  readonly aggregates: readonly AnyAggregate[]
  /** The projections and reactions of each tenant, by the names of their checkpoints. */
  readonly follows: readonly string[]
  /** Lends the domain of a tenant, which is opened if it is not open. */
  readonly borrow: (tenant: string) => Promise<{ release(): void }>
  /** Lets a tenant do what it has to do, soon and in the background. */
  readonly wakeSoon: (tenant: string) => void
}

export interface TenantsNodeOptions extends TenantsParts, Omit<MembershipOptions, 'store' | 'viewName'> {
  readonly routeTimeoutMs: number
}

/** The name under which the view of the members is stored. Not that of a domain, whose store this may be. */
const viewName = 'cluster members of tenants'
/** The pause before the catalog is asked again. */
const askAgainMs = 1000

export class TenantsNode {
  readonly #options: TenantsNodeOptions
  readonly #membership: Membership
  readonly catalog: Catalog
  readonly #servings = new Set<Serving>()
  /** The domains that are open here. */
  readonly #open = new Map<string, TenantNode>()
  #homes: { readonly epoch: number; readonly homes: Homes } | undefined
  /** The shards whose tenants were woken here, with the members that shared them then. */
  readonly #woken = new Map<number, string>()
  #isWaking = false
  #forwarded = 0
  #longestPauseMs = 0

  constructor(options: TenantsNodeOptions) {
    this.#options = options
    this.#membership = new Membership({ ...options, viewName })
    this.catalog = new Catalog(options.store, options.environment)
  }

  get id(): string {
    return this.#membership.id
  }

  /** Becomes a member. @throws StoreError, ClusterError */
  async join(): Promise<void> {
    const { transport, environment, aggregates, follows } = this.#options
    const address = await transport.listen((link) => this.#serve(link))
    const knows = Object.fromEntries(aggregates.map((aggregate) => [aggregate.name, knowledgeOf(aggregate)]))
    const joinedAt = Math.floor(environment.now())
    await this.#membership.join({ address, joinedAt, knows, follows }, (isOwned) => {
      for (const { kernel, shard } of this.#open.values()) kernel.disown((stream) => isOwned(stream, shard))
      void this.#wakeMoved()
    })
  }

  /** The place in the cluster of a tenant's domain that is being opened. */
  nodeOf(tenant: string, { environment, keys, observing }: NodeParts): DomainNode {
    const { routeTimeoutMs } = this.#options
    return new TenantNode({
      ...{ tenant, environment, keys, observing, routeTimeoutMs, membership: this.#membership },
      memberFor: (name, shard) => this.#where.memberFor(name, shard),
      status: ({ kernel, shard }) => this.#status(kernel.load.liveAggregates, shard),
      onOpen: (node) => this.#open.set(tenant, node),
      onEnd: (node) => {
        this.#forwarded += node.router.forwarded
        this.#longestPauseMs = Math.max(this.#longestPauseMs, node.router.longestPauseMs)
        if (this.#open.get(tenant) === node) this.#open.delete(tenant)
      },
    })
  }

  /** Whether the projections and reactions of a tenant should run here. */
  isHome(tenant: string): boolean {
    return this.#where.isAt(this.id, shardOfTenant(tenant))
  }

  get #where(): Homes {
    const { view, placement, epoch } = this.#membership
    if (this.#homes?.epoch !== epoch) this.#homes = { epoch, homes: new Homes(view, placement) }
    return this.#homes.homes
  }

  /** Gives all tenants to other members. What has begun goes on. */
  leave(): Promise<void> {
    return this.#membership.leave(async () => {})
  }

  /** Ends the membership, when the answers are sent. Never throws. */
  async end(): Promise<void> {
    await Promise.all([...this.#servings].map((serving) => serving.drain()))
    await this.#membership.end()
    for (const serving of [...this.#servings]) serving.close()
    await this.#options.transport.close()
  }

  // -- waking --------------------------------------------------------------------------------------------------

  /** Wakes the tenants whose home is here now, and of which another member may have left something to do. */
  async #wakeMoved(): Promise<void> {
    for (const shard of this.#woken.keys()) if (!this.#where.isAt(this.id, shard)) this.#woken.delete(shard)
    if (this.#isWaking) return
    this.#isWaking = true
    const { ended } = this.#membership
    while (!ended.aborted && !this.#membership.isLeaving) {
      const next = [...this.#where.shardsOf(this.id)].find(([shard, shared]) => this.#woken.get(shard) !== shared)
      if (next === undefined) break
      const [shard, shared] = next
      try {
        for await (const tenant of this.catalog.tenantsOf(shard)) this.#options.wakeSoon(tenant)
        this.#woken.set(shard, shared)
      } catch {
        // The store is unavailable. Commands meet that too and report it; here it is tried again.
        await sleep(this.#options.environment, askAgainMs, ended, { background: true })
      }
    }
    this.#isWaking = false
  }

  // -- commands of other members -------------------------------------------------------------------------------

  #serve(link: Link): Serving {
    const membership = this.#membership
    const serving: Serving = new Serving({
      id: this.id,
      link,
      environment: this.#options.environment,
      keys: undefined,
      deciderOf: (command, epoch) => this.#deciderOf(command, epoch),
      epoch: () => membership.epoch,
      onEpoch: (epoch) => void membership.hearEpoch(epoch),
      onState: () => {},
      onEnd: () => this.#servings.delete(serving),
    })
    this.#servings.add(serving)
    return serving
  }

  /** Opens the domain of a command, if it belongs here. @throws Moved; TenantError */
  async #deciderOf({ tenant = '', stream }: SentCommand, epoch: number): Promise<Decider> {
    const membership = this.#membership
    const shard = shardOfTenant(tenant)
    // The sender may know a newer view.
    if (!membership.owns(stream, shard) && epoch > membership.epoch) await membership.refresh().catch(() => {})
    if (!membership.owns(stream, shard)) throw new Moved()
    const { release } = await this.#options.borrow(tenant)
    const { kernel, keys } = this.#open.get(tenant)!
    return {
      keys,
      release,
      dispatch: async (...command) => {
        if (!membership.owns(stream, shard)) throw new Moved()
        const [, name, data, options] = command
        return kernel.dispatch(stream, name, data, options)
      },
    }
  }

  // -- status --------------------------------------------------------------------------------------------------

  status(): ClusterStatus {
    return this.#status([...this.#open.values()].reduce((sum, { kernel }) => sum + kernel.load.liveAggregates, 0))
  }

  #status(liveAggregates: number, shardOnly?: number): ClusterStatus {
    const { view, placement } = this.#membership
    const { epoch, members, owners, shardsTakenOver } = membersIn(view, placement, new Sharing(view.members))
    const runs = (id: string, name: string) => shardOnly === undefined || this.#where.memberFor(name, shardOnly) === id
    const followsOf = (id: string) =>
      view.members.find((member) => member.id === id)?.follows?.filter((name) => runs(id, name)) ?? []
    const routers = [...this.#open.values()].map(({ router }) => router)
    return deepFreeze({
      self: this.id,
      epoch,
      members: members.map((member) => {
        const { id } = member
        return { ...member, follows: followsOf(id), isHeard: this.#membership.isHeard(id) }
      }),
      owners,
      shardsTakenOver,
      liveAggregates,
      commandsForwarded: routers.reduce((sum, { forwarded }) => sum + forwarded, this.#forwarded),
      longestPauseMs: Math.max(this.#longestPauseMs, ...routers.map(({ longestPauseMs }) => longestPauseMs)),
    })
  }

  /** The status now, and again after each change of the members. It ends when this member has left. */
  async *changes(): AsyncGenerator<ClusterStatus, void, void> {
    while (!this.#membership.ended.aborted) {
      const changed = this.#membership.changed()
      yield this.status()
      await changed
    }
  }
}
