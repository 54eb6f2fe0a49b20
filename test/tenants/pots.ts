/** The domain of the tests of tenants, and tenants whose stores are counted. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { z } from 'zod'
import {
  aggregate,
  domain,
  event,
  projection,
  reaction,
  type StartOptions,
  type Tenants,
  type TenantsOptions,
  tenants,
} from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import type { ManualEnvironment } from '../../src/testing/manual-environment.ts'
import { recorder } from '../support/kernel/rig.ts'

export const Put = event('Put', z.object({ amount: z.int() }))
const Asked = event('Asked', z.object({ afterMs: z.int() }))
export const Pot = aggregate('pot', () => ({ sum: 0 }))
  .on(Put, ({ sum }, { amount }) => ({ sum: sum + amount }))
  .on(Asked)
  .command('put', z.object({ amount: z.int() }), (_, data) => Put(data))
  .command('ask', z.object({ afterMs: z.int() }), (_, data) => Asked(data))
const Sums = projection('sums', () => ({ sum: 0 }))
  .on(Put, ({ sum }, { amount }) => ({ sum: sum + amount }))
  .by(({ stream }) => stream.id)
const Later = reaction('later', { pot: Pot }).on(Asked, ({ data, stream: { id } }, { schedule }) =>
  schedule({ aggregate: 'pot', id, name: 'put', data: { amount: 1000 } }, { afterMs: data.afterMs }),
)
export const Pots = domain({ aggregates: { pot: Pot }, projections: { sums: Sums }, reactions: { later: Later } })
type Banks = Tenants<typeof Pots.aggregates, typeof Pots.projections, typeof Pots.reactions>

/** Tenants whose stores are made by a function, once for each tenant, with a count of how often they were opened. */
interface Rig {
  readonly banks: Banks
  readonly opened: Map<string, number>
  readonly log: ReturnType<typeof recorder>
  /** How many stores are open now, the most that ever were, how often one was closed, and what they stored. */
  readonly stores: { open: number; most: number; closed: number; stored: number }
}

export function rig(
  context: TestContext,
  make: (tenant: string) => StoreFactory | Promise<StoreFactory>,
  options: Partial<TenantsOptions> = {},
  startOptions: StartOptions = {},
): Rig {
  const factories = new Map<string, Promise<StoreFactory>>()
  const opened = new Map<string, number>()
  const stores = { open: 0, most: 0, closed: 0, stored: 0 }
  const log = recorder()
  const start = async (_: string, tenant: string): Promise<StartOptions> => {
    if (!factories.has(tenant)) factories.set(tenant, (async () => make(tenant))())
    const factory = await factories.get(tenant)!
    opened.set(tenant, (opened.get(tenant) ?? 0) + 1)
    return { store: counted(factory, stores), ...startOptions }
  }
  // A busy machine may take many seconds to open and close them.
  const banks = tenants(Pots, { start, log, waitMs: 300_000, ...options })
  context.after(() => banks.stop())
  return { banks, opened, log, stores }
}

export function counted(factory: StoreFactory, stores: Rig['stores']): StoreFactory {
  const open: StoreFactory['open'] = async (options) => {
    const store = await factory.open(options)
    stores.most = Math.max(stores.most, ++stores.open)
    const close = async () => {
      await store.close()
      stores.open--
      stores.closed++
    }
    const append: typeof store.append = async (...args) => {
      const results = await store.append(...args)
      stores.stored += results.filter(({ status }) => status === 'stored').length
      return results
    }
    return new Proxy(store, {
      get: (target, key) => {
        if (key === 'close') return close
        if (key === 'append') return append
        const value = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
  return { name: factory.name, open }
}

/** Lets time pass until a condition holds. */
export async function passUntil(environment: ManualEnvironment, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (await isSo()) return
    await environment.advance(50)
  }
  assert.fail('it does not come')
}
