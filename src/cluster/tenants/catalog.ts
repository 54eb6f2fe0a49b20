/**
 * The catalog of tenants: which there are, so that somebody opens those that nobody calls. It is stored as rows beside
 * a checkpoint, as the view of the members is, so every store that keeps projections can hold it. A tenant is in it
 * before anything of it is stored, and stays until it is removed.
 */
import { hasCode } from '../../domain/error.ts'
import { type Environment, sleep } from '../../runtime/environment.ts'
import type { ProjectionStore, Row } from '../../store/store.ts'
import { shardOf } from '../placement.ts'

/** The name under which it is stored. No projection can have it. */
const catalogName = 'cluster tenants'
/** How often a change is tried if other members change the catalog at the same time. */
const triesMax = 100
const pageSizeMax = 500

/** The shard of a tenant: all that is its own belongs to the owner of this shard. */
export const shardOfTenant = (tenant: string): number => shardOf({ aggregate: 'tenant', id: tenant })

export class Catalog {
  readonly #store: ProjectionStore
  readonly #environment: Environment
  /** Changes that go together when the one under way is stored. */
  #waiting: { readonly row: Row; readonly done: PromiseWithResolvers<void> }[] = []
  #isSaving = false

  constructor(store: ProjectionStore, environment: Environment) {
    this.#store = store
    this.#environment = environment
  }

  /** Enters a tenant, if it is not there. @throws StoreError */
  async add(tenant: string): Promise<void> {
    const [known] = await this.#store.loadRows(catalogName, [keyOf(tenant)])
    if (known === undefined) await this.#change({ key: keyOf(tenant), value: {} })
  }

  /** Strikes a tenant out. @throws StoreError */
  remove(tenant: string): Promise<void> {
    return this.#change({ key: keyOf(tenant), value: undefined })
  }

  /** The tenants of a shard. @throws StoreError */
  async *tenantsOf(shard: number): AsyncGenerator<string, void, void> {
    const prefix = prefixOf(shard)
    for (let after: string | undefined; ; ) {
      const query = { prefix, limit: pageSizeMax, ...(after !== undefined && { after }) }
      const { rows, next } = await this.#store.listRows(catalogName, query)
      for (const { key } of rows) yield key.slice(prefix.length)
      if (next === undefined) return
      after = next
    }
  }

  #change(row: Row): Promise<void> {
    const done = Promise.withResolvers<void>()
    this.#waiting.push({ row, done })
    if (!this.#isSaving) void this.#saveAll()
    return done.promise
  }

  async #saveAll(): Promise<void> {
    this.#isSaving = true
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting.splice(0, pageSizeMax)
      try {
        await this.#save(waiting.map(({ row }) => row))
        for (const { done } of waiting) done.resolve()
      } catch (error) {
        for (const { done } of waiting) done.reject(error)
      }
    }
    this.#isSaving = false
  }

  async #save(rows: readonly Row[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { position, term } = await this.#store.loadCheckpoint(catalogName)
      try {
        const to = { position: position + 1, term: 1, note: {} }
        await this.#store.saveStep(catalogName, { from: { position, term }, to, rows })
        return
      } catch (error) {
        if (!hasCode(error, 'CHECKPOINT_CONFLICT') || tries >= triesMax) throw error
        await sleep(this.#environment, this.#environment.random() * Math.min(tries, 20))
      }
    }
  }
}

const prefixOf = (shard: number): string => `${String(shard).padStart(3, '0')} `
const keyOf = (tenant: string): string => `${prefixOf(shardOfTenant(tenant))}${tenant}`
