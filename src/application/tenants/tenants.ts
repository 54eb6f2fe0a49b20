/** Many tenants in one program: a domain for each, on a store of its own, open only while it is in use. */
import type { Cluster } from '../../cluster/cluster.ts'
import type { ClusterStatus } from '../../cluster/status.ts'
import type { CommandOf } from '../../domain/command.ts'
import { checkKeys, checkOption, checkWhole, refuseOption } from '../../domain/options.ts'
import type { Environment } from '../../runtime/environment.ts'
import { type Logger, TenantLogger, warnTo } from '../../runtime/logger.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { StoreFactory } from '../../store/store.ts'
import type { Domain } from '../domain.ts'
import { insideOf, rememberInside } from '../inside.ts'
import {
  type Aggregates,
  type ClusterInfo,
  type Load,
  type ProjectionsByName,
  type ReactionsByName,
  type Running,
  reactionStorageName,
} from '../running.ts'
import type { StartOptions } from '../start-options.ts'
import { systemEnvironment } from '../system-environment.ts'
import { WarningLimit } from '../warning-limit.ts'
import { TenantsMember } from './member.ts'
import type { OpenDomain } from './rest.ts'
import { type Loan, tenantHandle } from './tenant-handle.ts'
import { tenantName } from './tenant-name.ts'
import { TenantPool } from './tenant-pool.ts'

/** Options of `tenants(domain, options)`. All but `start` have a default. */
export interface TenantsOptions {
  /**
   * The options of `start` for a tenant, with its store. It is called each time the tenant is opened. `name` is the
   * tenant's name in a form that is safe for a file, a schema or a prefix (`tenantName`). Throw, or reject, for a
   * tenant that does not exist.
   */
  readonly start: (name: string, tenant: string) => StartOptions | Promise<StartOptions>
  /** How long a tenant stays open after its last use, in milliseconds. 60,000 by default. */
  readonly idleMs?: number
  /** How many tenants may be open at the same time. 100 by default. */
  readonly openMax?: number
  /**
   * How long a call waits if all open tenants are in use, in milliseconds. 10,000 by default. After that the error is
   * `TENANTS_BUSY`.
   */
  readonly waitMs?: number
  /**
   * Makes this process a member of a cluster: `cluster({ address, secret })` of `mneme/cluster`. Each tenant then lives
   * in one of the members, and each member accepts calls for every tenant. `catalog` has to be given too.
   */
  readonly cluster?: Cluster
  /**
   * The store in which the members of the cluster find each other and their tenants. All members need the same, and no
   * other tenants may use it.
   */
  readonly catalog?: StoreFactory
  /** Where warnings go, with the name of their tenant. The console by default. */
  readonly log?: Logger
  /** Time, timers, random numbers and ids, for tests. */
  readonly environment?: Partial<Environment>
}

/** The domain of a tenant, for as long as `use` lends it. */
export type LentDomain<A, P, R = {}> = Omit<Running<A, P, R>, 'stop' | typeof Symbol.asyncDispose>

/** A handle to a tenant's domain. Each call opens the domain if it is not open, so a handle can be kept. */
export type Tenant<A, P, R = {}> = Omit<LentDomain<A, P, R>, 'load' | 'parseCommand' | 'cluster'> & TenantOnly<A>

/** What a running domain answers at once, and a handle only when the domain is open. */
interface TenantOnly<A> {
  /** The same as of a running domain, in a promise. */
  parseCommand(untrusted: unknown): Promise<CommandOf<A>>
  /** How many aggregates of the tenant are in memory, and how many of its commands are in progress. */
  load(): Promise<Load>
  /** The members of the tenant's cluster, if its domain is in one. A singleton would end with the domain. */
  readonly cluster: Pick<ClusterInfo, 'changes'> & { status(): Promise<ClusterStatus> }
}

/** How many tenants are open, how many of these are in use, and how many calls wait until one is open. */
export interface TenantsLoad {
  readonly open: number
  readonly inUse: number
  readonly waiting: number
  /** Closed tenants that will be opened again, because of a scheduled command or unfinished work. */
  readonly scheduled: number
}

/** Tenants that could not be woken, and why. */
export interface WakeResult {
  readonly woken: number
  readonly failed: readonly { readonly tenant: string; readonly error: unknown }[]
}

/** The tenants of a program, each with a domain of its own. */
export interface Tenants<A, P, R = {}> extends AsyncDisposable {
  /**
   * A handle to the domain of a tenant, with the methods of a running domain. Nothing is opened before it is called.
   *
   *     const acme = banks.get('acme')
   *     await acme.account('ada').deposit({ amount: 100 })
   *
   * Its calls throw what the domain throws, and: TenantError `TENANTS_BUSY`, `TENANT_NOT_OPENED`
   *
   * @throws InputError `ID_INVALID`
   */
  get(tenant: string): Tenant<A, P, R>
  /**
   * Keeps the domain of a tenant open while some work goes on. The domain must not be used after that.
   *
   *     await banks.use('acme', async (bank) => { ... })
   *
   * @throws TenantError `TENANTS_BUSY`, `TENANT_NOT_OPENED`; InputError `ID_INVALID`; what the work throws
   */
  use<Result>(tenant: string, work: (bank: LentDomain<A, P, R>) => Result | Promise<Result>): Promise<Result>
  /**
   * Opens each tenant once, so that its projections and reactions do what is left from an earlier process, and so that
   * its scheduled commands are known. Call it when the program has started, with all tenants. Only some are open at the
   * same time. One that fails does not keep the others from being woken.
   */
  wake(tenants: Iterable<string> | AsyncIterable<string>): Promise<WakeResult>
  load(): TenantsLoad
  /** Refuses new calls, and stops all domains as `stop` of a domain does. Also `await using`. */
  stop(): Promise<void>
}

/** The cluster of the tenants, as this member sees it. */
export interface TenantsCluster {
  /**
   * Becomes a member of the cluster. The tenants whose home is here are opened, one after the other, so that they do
   * what is due. Call it when the program starts; otherwise the first call to a tenant does it.
   *
   * @throws ClusterError `ADDRESS_UNAVAILABLE`, `SECRET_DIFFERS`; StoreError
   */
  join(): Promise<void>
  /** The members. `shards` are those of tenants; each tenant belongs to one. @throws as `join` */
  status(): Promise<ClusterStatus>
  /** The status now, and after each change of the members. It ends when this process stops. */
  changes(): AsyncIterable<ClusterStatus>
  /**
   * Strikes a tenant out of the catalog: no member opens it any more unless it is called. Its store is not touched.
   *
   * @throws InputError `ID_INVALID`; as `join`
   */
  remove(tenant: string): Promise<void>
}

/** The tenants of a program that is a member of a cluster. */
export interface ClusteredTenants<A, P, R = {}> extends Tenants<A, P, R> {
  readonly cluster: TenantsCluster
}

const known: readonly (keyof TenantsOptions)[] = [
  ...(['start', 'idleMs', 'openMax', 'waitMs', 'cluster', 'catalog', 'log', 'environment'] as const),
]

const idleMsDefault = 60_000
const openMaxDefault = 100
const waitMsDefault = 10_000

/**
 * Runs a domain for each of many tenants, on a store for each. A tenant's domain is opened when it is used and stopped
 * when it is idle.
 *
 *     await using banks = tenants(Bank, { start: (name) => ({ store: sqlite(`data/${name}.db`) }) })
 *     await banks.get('acme').account('ada').deposit({ amount: 100 })
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function tenants<A extends Aggregates, P extends ProjectionsByName, R extends ReactionsByName>(
  domain: Domain<A, P, R>,
  options: TenantsOptions & Required<Pick<TenantsOptions, 'cluster' | 'catalog'>>,
): ClusteredTenants<A, P, R>
export function tenants<A extends Aggregates, P extends ProjectionsByName, R extends ReactionsByName>(
  domain: Domain<A, P, R>,
  options: TenantsOptions,
): Tenants<A, P, R>
export function tenants<A extends Aggregates, P extends ProjectionsByName, R extends ReactionsByName>(
  domain: Domain<A, P, R>,
  options: TenantsOptions,
): Tenants<A, P, R> {
  checkOptions(domain, options)
  const { start, idleMs = idleMsDefault, openMax = openMaxDefault, waitMs = waitMsDefault, log = console } = options
  const environment: Environment = { ...systemEnvironment, ...options.environment }
  const open = async (tenant: string): Promise<Running<A, P, R>> => {
    const given = await start(tenantName(tenant), tenant)
    checkStore(given)
    if (member !== undefined && given.cluster !== undefined) {
      refuseOption('cluster', 'left out for a tenant, because all tenants share one cluster', given.cluster)
    }
    const logger = new TenantLogger(given.log ?? log, tenant)
    const cluster = await member?.clusterOf(tenant)
    return domain.start({
      ...(options.environment && { environment: options.environment }),
      ...given,
      ...(cluster && { cluster }),
      log: logger,
    })
  }
  const parts = { projections: Object.keys(domain.projections), reactions: Object.keys(domain.reactions) }
  // The types of a running domain depend on its definition. The pool needs only what all have.
  const limit = new WarningLimit(warnTo(log))
  const pool = new TenantPool({
    open: open as unknown as (tenant: string) => Promise<OpenDomain>,
    parts,
    ...{ idleMs, openMax, waitMs },
    environment,
    warn: limit.warn,
    ...(options.cluster && { isHome: (tenant: string) => member!.isHome(tenant) }),
  })
  const member = memberOf(domain, pool, environment, limit.warn, options)
  const joined = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (member !== undefined) await member.join()
    return work()
  }
  const borrow = (tenant: string) => joined(() => pool.borrow(tenant))
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= (member === undefined ? pool.stop() : member.stop(() => pool.stop())).finally(() => limit.end())
    return stopped
  }
  return Object.freeze({
    get(tenant: string) {
      tenantName(tenant)
      return tenantHandle(domain, () => borrow(tenant)) as Tenant<A, P, R>
    },
    async use<Result>(tenant: string, work: (bank: LentDomain<A, P, R>) => Result | Promise<Result>): Promise<Result> {
      tenantName(tenant)
      const { bank, release } = (await borrow(tenant)) as unknown as Loan<Running<A, P, R>>
      try {
        const { stop: _, [Symbol.asyncDispose]: __, ...lent } = bank
        rememberInside(Object.freeze(lent), insideOf(bank))
        return await work(lent)
      } finally {
        release()
      }
    },
    wake: (names: Iterable<string> | AsyncIterable<string>) => joined(() => wakeAll(pool, names)),
    load: () => pool.load(),
    ...(member && { cluster: clusterOf(member) }),
    stop,
    [Symbol.asyncDispose]: stop,
  })
}

/** The membership of the tenants, if they are to be in a cluster. */
function memberOf(
  {
    aggregates,
    projections,
    reactions,
  }: Pick<Domain<Aggregates, ProjectionsByName, ReactionsByName>, 'aggregates' | 'projections' | 'reactions'>,
  pool: TenantPool<OpenDomain>,
  environment: Environment,
  warn: Warn,
  { cluster, catalog }: TenantsOptions,
): TenantsMember | undefined {
  if (cluster === undefined || catalog === undefined) return undefined
  return new TenantsMember({
    ...{ cluster, catalog, environment, warn },
    aggregates: Object.values(aggregates),
    follows: [
      ...Object.values(projections).map(({ name }) => name),
      ...Object.values(reactions).map(reactionStorageName),
    ],
    borrow: (tenant) => pool.borrow(tenant),
    wakeSoon: (tenant) => pool.wakeSoon(tenant),
  })
}

const clusterOf = (member: TenantsMember): TenantsCluster =>
  Object.freeze({
    join: async () => void (await member.join()),
    status: () => member.status(),
    changes: () => member.changes(),
    async remove(tenant: string) {
      tenantName(tenant)
      await member.remove(tenant)
    },
  })

/** Wakes several at the same time, and goes through the names only as fast as they are woken. */
async function wakeAll(
  pool: TenantPool<OpenDomain>,
  names: Iterable<string> | AsyncIterable<string>,
): Promise<WakeResult> {
  const failed: { tenant: string; error: unknown }[] = []
  let woken = 0
  const underWay = new Set<Promise<void>>()
  const wake = async (tenant: string) => {
    try {
      tenantName(tenant)
      await pool.wake(tenant)
      woken++
    } catch (error) {
      failed.push({ tenant, error })
    }
  }
  for await (const tenant of names) {
    const waking: Promise<void> = wake(tenant).finally(() => underWay.delete(waking))
    underWay.add(waking)
    if (underWay.size >= pool.wakesMax) await Promise.race(underWay)
  }
  await Promise.all(underWay)
  return Object.freeze({ woken, failed })
}

/** Without a store a domain runs in memory, and what it has stored would be gone when it is stopped. */
function checkStore(given: StartOptions): void {
  const hasStore = (found: StartOptions | null) => (found?.store ?? found?.events) !== undefined
  checkOption('start', given ?? null, hasStore, 'a function that returns { store: ... } for a tenant')
}

function checkOptions(domain: unknown, options: TenantsOptions): void {
  const isDomain = (found: any) => typeof found?.start === 'function' && typeof found.aggregates === 'object'
  checkOption('domain', domain ?? null, isDomain, 'a domain, as domain(...) makes it')
  checkKeys('tenants(domain, options)', options, known)
  const { start, idleMs, openMax, waitMs, cluster, catalog, log } = options ?? {}
  if (typeof start !== 'function') {
    refuseOption('start', 'a function that returns the options of start for a tenant, such as { store: ... }', start)
  }
  checkWhole('idleMs', idleMs, 1)
  checkWhole('openMax', openMax, 1)
  checkWhole('waitMs', waitMs, 0)
  checkOption('cluster', cluster, (found) => typeof found?.tenantsNode === 'function', 'what cluster(...) returns')
  checkOption('catalog', catalog, (found) => typeof found?.open === 'function', 'a store, such as sqlite(path)')
  if ((cluster === undefined) !== (catalog === undefined)) {
    const absent = cluster === undefined ? 'cluster' : 'catalog'
    refuseOption(absent, `given together with ${cluster === undefined ? 'catalog' : 'cluster'}`, undefined)
  }
  checkOption('log', log, (found) => typeof found?.warn === 'function', 'a console, or anything with its warn')
}
