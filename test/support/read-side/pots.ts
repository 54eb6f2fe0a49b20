/**
 * The domain of the read side's tests: pots into which amounts are put. Every amount is put once. Rows, tables and
 * boxes keep all amounts in order, so a lost, doubled or swapped amount shows. The result is compared with a fold of
 * the log that uses nothing of Mneme.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import {
  aggregate,
  domain,
  event,
  type FailurePolicy,
  type Projection,
  projection,
  type Running,
  type StartOptions,
} from '../../../src/index.ts'
import type { Store, StoredEvent, StoreFactory } from '../../../src/store/store.ts'
import { recorder } from '../kernel/rig.ts'

/** An amount that came in; it belongs to the rows of its keys, or else to that of its pot. */
export const Put = event('Put', z.object({ amount: z.int(), keys: z.array(z.string()).optional() }))
/** What no projection here handles. */
export const Rustled = event('Rustled', z.object({}))

const put = z.object({ amount: z.int(), keys: z.array(z.string()).optional() })

export const Pot = aggregate('pot', () => ({ count: 0 }))
  .on(Put, ({ count }) => ({ count: count + 1 }))
  .on(Rustled)
  .command('put', put, (_, data) => Put(data))
  .command('fill', z.object({ amounts: z.array(z.int()) }), (_, { amounts }) =>
    amounts.map((amount) => Put({ amount })),
  )
  .command('rustle', z.object({ times: z.int() }), (_, { times }) => Array.from({ length: times }, () => Rustled({})))

/** The amounts of a row, in the order in which they were folded. */
export interface Amounts {
  readonly amounts: readonly number[]
}

type Rows = Projection<string, Amounts, typeof Put>
export type RunningRows = Running<{ pot: typeof Pot }, { rows: Rows }>

/** Amounts that cannot be handled at present. */
export type Sick = Set<number>

export interface RowsOptions {
  readonly name?: string
  readonly sick?: Sick
  readonly policy?: FailurePolicy
  readonly revision?: number
  /** What is made of an amount on its way into the row. */
  readonly change?: (amount: number) => number
}

/** A projection that keeps the amounts by key. */
function rowsWith({
  name = 'rows',
  sick = new Set(),
  policy = {},
  revision = 1,
  change = (amount) => amount,
}: RowsOptions = {}): Rows {
  return projection(name, (): Amounts => ({ amounts: [] }))
    .on(Put, ({ amounts }, { amount }) => {
      if (sick.has(amount)) throw new RangeError(`sick of ${amount}`)
      return { amounts: [...amounts, change(amount)] }
    })
    .by(({ stream, data }) => data.keys ?? stream.id)
    .onFailure(policy)
    .revision(revision)
}

export type StartRows = StartOptions & RowsOptions

/** Starts pots with their rows, without a running projection unless told otherwise. */
export function startRows({ name, sick, policy, revision, change, ...options }: StartRows = {}): Promise<RunningRows> {
  const given = { name, sick, policy, revision, change }
  const chosen = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as RowsOptions
  const Pots = domain({ aggregates: { pot: Pot }, projections: { rows: rowsWith(chosen) } })
  return Pots.start({ projections: 'manual', log: recorder(), ...options })
}

/** Rows as plain data: the amounts by key. */
export type Folded = Readonly<Record<string, readonly number[]>>

/** What rows have to be, by the log. */
export function foldOf(log: readonly StoredEvent[], change: (amount: number) => number = (amount) => amount): Folded {
  const folded: Record<string, number[]> = {}
  for (const { type, data, stream } of log) {
    if (type !== 'Put') continue
    const { amount, keys } = data as { readonly amount: number; readonly keys?: readonly string[] }
    for (const key of new Set(keys ?? [stream.id])) {
      folded[key] ??= []
      folded[key].push(change(amount))
    }
  }
  return folded
}

/** Every row that serves. */
export async function rowsOf({ rows }: Pick<RunningRows, 'rows'>, atLeast?: number): Promise<Folded> {
  const { rows: found } = await rows.find({ limit: Number.POSITIVE_INFINITY }, atLeast === undefined ? {} : { atLeast })
  return Object.fromEntries(found.map(({ key, row }) => [key, row.amounts]))
}

/** Does something with a store that is opened for it; for stores with one writer only while no domain runs. */
export async function withStore<Result>(
  factory: StoreFactory,
  work: (store: Store) => Promise<Result>,
): Promise<Result> {
  const store = await factory.open({ now: () => 0, warn: () => {} })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** The log of a domain that runs. */
export async function logFrom(running: Pick<RunningRows, 'events'>, head: number): Promise<readonly StoredEvent[]> {
  const log: StoredEvent[] = []
  if (head === 0) return log
  for await (const event of running.events()) {
    log.push({ ...event, recordedAt: event.recordedAt.getTime() } as unknown as StoredEvent)
    if (event.position >= head) break
  }
  return log
}

/** Holds the rows of a domain that runs against a fold of its whole log; they have to have handled it all. */
export async function checkRows(running: RunningRows, change?: (amount: number) => number): Promise<void> {
  const { head } = await running.projections.status('rows')
  const log = await logFrom(running, head)
  // Other rows may have become live a moment ago. Those that wait for no position may be a few events behind then.
  assert.deepEqual(await rowsOf(running, head), foldOf(log, change))
}

/** What a store holds besides the log for a name: for stores that nobody else has open. */
export function storedUnder(factory: StoreFactory, name: string): Promise<readonly string[]> {
  return withStore(factory, async (store) => (await store.listRows(name, { limit: 1000 })).rows.map(({ key }) => key))
}
