/**
 * The tenants of this process as a member of a cluster. It joins when it is first needed, or when `join` is called. A
 * tenant is entered in the catalog before its domain is opened, so each tenant that has stored something is in it.
 */
import type { Cluster, DomainCluster } from '../../cluster/cluster.ts'
import type { ClusterStatus } from '../../cluster/status.ts'
import type { TenantsNode } from '../../cluster/tenants/tenants-node.ts'
import type { AnyAggregate } from '../../domain/aggregate.ts'
import { CancelledError } from '../../domain/error.ts'
import { type Environment, waitAtMost } from '../../runtime/environment.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { Store, StoreFactory } from '../../store/store.ts'
import type { Loan } from './tenant-handle.ts'

interface MemberOptions {
  readonly cluster: Cluster
  readonly catalog: StoreFactory
  readonly aggregates: readonly AnyAggregate[]
  /** The projections and reactions of each tenant, by the names of their checkpoints. */
  readonly follows: readonly string[]
  readonly environment: Environment
  readonly warn: Warn
  /** Lends the domain of a tenant, which is opened if it is not open. */
  readonly borrow: (tenant: string) => Promise<Loan<unknown>>
  readonly wakeSoon: (tenant: string) => void
}

/** How long others may take to go on with the tenants of this process, when it stops. */
const leaveMsMax = 10_000

interface Joined {
  readonly node: TenantsNode
  readonly store: Store
}

export class TenantsMember {
  readonly #options: MemberOptions
  #joining: Promise<Joined> | undefined
  #joined: Joined | undefined
  #isStopping = false

  constructor(options: MemberOptions) {
    this.#options = options
  }

  /** Becomes a member, once. @throws StoreError, ClusterError; CancelledError `STOPPED` */
  async join(): Promise<TenantsNode> {
    if (this.#isStopping) throw new CancelledError('STOPPED', { what: 'Joining the cluster' })
    this.#joining ??= this.#join().catch((error: unknown) => {
      this.#joining = undefined
      throw error
    })
    const { node } = await this.#joining
    return node
  }

  async #join(): Promise<Joined> {
    const { cluster, catalog, ...parts } = this.#options
    const { environment, warn } = parts
    const store = await catalog.open({ warn, now: environment.now, openedBy: 'domain' })
    const node = cluster.tenantsNode({ ...parts, store })
    try {
      await node.join()
    } catch (error) {
      await node.end()
      await store.close()
      throw error
    }
    this.#joined = { node, store }
    return this.#joined
  }

  /** The cluster of a tenant's domain, which is entered in the catalog first. @throws as `join` */
  async clusterOf(tenant: string): Promise<DomainCluster> {
    const node = await this.join()
    await node.catalog.add(tenant)
    return { node: (parts) => node.nodeOf(tenant, parts) }
  }

  /** Whether a tenant's own work is to be done here. */
  isHome(tenant: string): boolean {
    return this.#joined === undefined || this.#joined.node.isHome(tenant)
  }

  async status(): Promise<ClusterStatus> {
    return (await this.join()).status()
  }

  async *changes(): AsyncGenerator<ClusterStatus, void, void> {
    yield* (await this.join()).changes()
  }

  /** Strikes a tenant out of the catalog. @throws StoreError */
  async remove(tenant: string): Promise<void> {
    await (await this.join()).catalog.remove(tenant)
  }

  /** Leaves the cluster. What has begun is answered. */
  async stop(stopTenants: () => Promise<void>): Promise<void> {
    this.#isStopping = true
    const joined = await this.#joining?.catch(() => undefined)
    if (joined !== undefined) await waitAtMost(this.#options.environment, leaveMsMax, joined.node.leave())
    await stopTenants()
    await joined?.node.end()
    await joined?.store.close()
  }
}
