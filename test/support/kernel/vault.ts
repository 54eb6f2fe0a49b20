/**
 * The aggregate of the kernel's tests: a vault of numbers. It has good commands (`add`, `take`, `burst`, `look`), and
 * one for each thing that a decision can do wrong. Its state has every amount in order, so that a lost, repeated or
 * swapped event shows.
 */
import { z } from 'zod'
import { type AggregateOptions, aggregate, event, projection, reject } from '../../../src/index.ts'

export const Added = event('Added', z.object({ amount: z.number(), note: z.string().optional() })).tagged(({ note }) =>
  note === undefined ? [] : [`note:${note}`],
)
export const Taken = event('Taken', z.object({ amount: z.number() }))
/** Its fold throws. */
const Spoiled = event('Spoiled', z.object({}))
/** Its fold changes the state in place. */
const Scribbled = event('Scribbled', z.object({}))
/** A vault has no `.on` for it. */
const Foreign = event('Foreign', z.object({}))
/** Accepts any input. */
const Loose = event('Loose', z.any())

interface VaultState {
  readonly balance: number
  readonly amounts: readonly number[]
}

const amount = z.object({ amount: z.number(), note: z.string().optional() })
const count = z.object({ count: z.number().int() })
const none = z.object({})

/** A vault with options. */
export const vaultWith = (options: AggregateOptions = {}) =>
  aggregate('vault', (): VaultState => ({ balance: 0, amounts: [] }), options)
    .on(Added, ({ balance, amounts }, { amount }) => ({ balance: balance + amount, amounts: [...amounts, amount] }))
    .on(Taken, ({ balance, amounts }, { amount }) => ({ balance: balance - amount, amounts: [...amounts, -amount] }))
    .on(Spoiled, () => {
      throw new RangeError('spoiled')
    })
    .on(Scribbled, (state) => {
      ;(state.amounts as number[]).push(666)
      ;(state as { balance: number }).balance = 666
      return state
    })
    .on(Loose)
    .command('add', amount, (_, input) => Added(input))
    .command('take', z.object({ amount: z.number() }), ({ balance }, { amount }) =>
      amount > balance ? reject('TooLittle', { balance }) : Taken({ amount }),
    )
    .command('burst', count, (_, { count }) => Array.from({ length: count }, () => Added({ amount: 1 })))
    .command('look', none, () => undefined)
    .command('openOnce', none, ({ amounts }) => (amounts.length > 0 ? reject('Open') : Added({ amount: 0 })))
    .command('fail', none, (): undefined => {
      throw new RangeError('decided badly')
    })
    .command('spoil', none, () => [Added({ amount: 1000 }), Spoiled({})])
    .command('scribble', none, () => [Added({ amount: 1000 }), Scribbled({})])
    .command('scribbleInDecide', none, (state) => {
      ;(state.amounts as number[]).push(666)
      return undefined
    })
    .command('foreign', none, () => [Added({ amount: 1000 }), Foreign({}) as never])
    .command('promise', none, () => Promise.resolve(Added({ amount: 1000 })) as never)
    .command('nonsense', none, () => 42 as never)
    .command('misshapen', none, () => [Added({ amount: 1000 }), Added({ amount: 'many' } as never)])
    .command('unstorable', none, () => [Added({ amount: 1000 }), Loose({ at: Number.NaN })])
    .command('huge', count, (_, { count }) => Loose({ text: 'x'.repeat(count) }))

export const Vault: ReturnType<typeof vaultWith> = vaultWith()

/** The balance of each vault. */
export const Totals = projection('totals', () => ({ balance: 0, events: 0 }))
  .on(Added, (row, { amount }) => ({ balance: row.balance + amount, events: row.events + 1 }))
  .on(Taken, (row, { amount }) => ({ balance: row.balance - amount, events: row.events + 1 }))
