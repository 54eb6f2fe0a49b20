/** A domain that keeps rows of every kind beside its log, for what is done to them. */
import { z } from 'zod'
import { aggregate, domain, event, projection, reaction, reject, type StartOptions } from '../../../src/index.ts'
import type { Store, StoreFactory } from '../../../src/store/store.ts'
import { manualEnvironment } from '../../../src/testing/manual-environment.ts'

const data = z.object({ n: z.number(), gain: z.coerce.bigint() })
const Sold = event('Sold', data)
const Noted = event('Noted', z.object({ n: z.number() }))

/** What a function of the shop throws over something odd that it was given. */
export class OfTheShop extends Error {}

/** Calls a function of the shop. Its errors are known as those of the shop. */
const guarded =
  <Args extends readonly unknown[], Result>(run: (...args: Args) => Result) =>
  (...args: Args): Result => {
    try {
      return run(...args)
    } catch (cause) {
      throw new OfTheShop('a function of the shop failed', { cause })
    }
  }

const Shop = aggregate('shop', () => ({ sold: 0, at: new Date(0), totals: new Map<string, bigint>() }))
  .on(
    Sold,
    guarded((state, { n, gain }, { recordedAt }) => ({
      sold: state.sold + n,
      at: recordedAt,
      totals: new Map([...state.totals, [`${n}`, gain] as const]),
    })),
  )
  .command('sell', z.object({ n: z.number(), gain: z.string() }), (_, { n, gain }) => Sold({ n, gain }))

const Notes = aggregate('notes', () => ({ count: 0 }))
  .on(Noted, (state) => ({ count: state.count + 1 }))
  .command('note', z.object({ n: z.number() }), (_, { n }) => (n % 2 === 0 ? Noted({ n }) : reject('Odd', { n })))

const By = projection('by number', () => ({ n: 0, gain: 0n, at: new Date(0), seen: new Set<number>() }))
  .on(
    Sold,
    guarded((row, { n, gain }, { recordedAt }) => {
      if (n === failing) throw new OfTheShop('it is parked')
      return { n: row.n + n, gain: row.gain + gain, at: recordedAt, seen: new Set([...row.seen, n]) }
    }),
  )
  .by(guarded(({ data: { n }, stream }) => [`${stream.id} ${n}`, `all ${n % 2}`]))
  .indexed('n')
  .onFailure({ retries: 0, giveUp: 'park' })

const Total = projection('total', () => ({ all: 0 }))
  .on(
    Sold,
    guarded((row, { n }) => ({ all: row.all + n })),
  )
  .onFailure({ retries: 0, giveUp: 'skip' })

const failing = 5
const Follow = reaction('follow', { notes: Notes, shop: Shop })
  .state(
    () => ({ last: new Date(0), seen: new Map<number, bigint>() }),
    ({ stream }) => stream.id,
  )
  .on(Sold, async ({ data, recordedAt, stream: { id } }, { dispatch, schedule, setState, state, step }) => {
    const { n, gain } = guarded(() => ({ n: data.n, gain: data.gain }))()
    await step('look', () => ({ at: new Date(n), gain }))
    await dispatch({ aggregate: 'notes', id, name: 'note', data: { n } })
    await dispatch({ aggregate: 'notes', id, name: 'note', data: { n: n + 1 } })
    schedule({ aggregate: 'notes', id, name: 'note', data: { n: 2 * n } }, { afterMs: 1000 * n }, { key: `key ${n}` })
    schedule({ aggregate: 'notes', id, name: 'note', data: { n: 2 } }, { afterMs: 10_000_000 })
    guarded(() => setState({ last: recordedAt, seen: new Map([...state.seen, [n, gain]]) }))()
    if (n === failing) throw new OfTheShop('it is parked')
  })
  .onFailure({ retries: 0, giveUp: 'park' })

const Definition = domain({
  aggregates: { shop: Shop, notes: Notes },
  projections: { by: By, total: Total },
  reactions: { follow: Follow },
})

export type RunningShop = Awaited<ReturnType<typeof Definition.start>>
export const projections = ['by', 'total'] as const
/** The first events that are sold. */
const filled = 6
/** The numbers that make up rows: those of a shop, and two for all. */
export const rowKeys: readonly string[] = [
  ...Array.from({ length: filled }, (_, i) => `main ${i + 1}`),
  ...['all 0', 'all 1'],
]

interface Opened extends AsyncDisposable {
  readonly running: RunningShop
  readonly environment: ReturnType<typeof manualEnvironment>
  /** The causes of all warnings. */
  readonly causes: readonly unknown[]
}

/** Domains on one store share their environment, because it counts their ids. */
const environments = new WeakMap<StoreFactory, ReturnType<typeof manualEnvironment>>()

/** Starts it on a store. Nothing runs until a test wants it. */
export async function openShop(store: StoreFactory): Promise<Opened> {
  const environment = environments.get(store) ?? manualEnvironment()
  environments.set(store, environment)
  const causes: unknown[] = []
  const log: StartOptions['log'] = { warn: (_: unknown, facts: any) => void causes.push(facts?.cause) }
  const running = await Definition.start({ store, environment, projections: 'manual', log, snapshotEvery: 2 })
  return { running, environment, causes, [Symbol.asyncDispose]: () => running.stop() }
}

/** A store with rows of all kinds. */
export async function fillShop(store: StoreFactory): Promise<void> {
  await using shop = await openShop(store)
  const { running } = shop
  for (let n = 1; n <= filled; n++) await sell(running, n)
  for (const name of projections) await running.projections.runOnce(name)
  await running.projections.rebuild('by')
  await running.reactions.runOnce('follow')
}

export const sell = (running: RunningShop, n: number, shop = 'main'): Promise<unknown> =>
  running.shop(shop).sell({ n, gain: `${10n ** BigInt(n)}` })

/** The names under which something is stored. */
export async function storagesOf(store: Store): Promise<readonly string[]> {
  const [record] = await store.loadRows('generations by number', ['generations'])
  const { storage } = (record as unknown as { live: { storage: string } }).live
  return [storage, 'generations by number', 'total', 'reaction follow']
}
