/**
 * A reaction whose handlers wait until a test lets them go on: each amount that is put into a pot is sent to the box of
 * its name, with the sum so far, which the reaction keeps as its state. So what is lost, doubled, swapped or handled
 * with a wrong state shows in the boxes.
 */
import assert from 'node:assert/strict'
import { domain, type Reaction, type Running, reaction, type StartOptions } from '../../../src/index.ts'
import type { OpenOptions, Store, StoreFactory } from '../../../src/store/store.ts'
import { manualEnvironment } from '../../../src/testing/manual-environment.ts'
import { recorder, settled, until } from '../kernel/rig.ts'
import { Box } from './boxes.ts'
import { Pot, Put } from './pots.ts'

export const aggregates = { pot: Pot, box: Box }

/** Handlers that wait until they are told to go on, and what was seen of them. */
interface Gates {
  readonly pass: (amount: number, signal?: AbortSignal) => Promise<void>
  /** The amounts whose handlers have begun, in order. */
  readonly began: readonly number[]
  /** The most that were under way at once. */
  readonly most: number
  /** Lets the handlers of amounts go on, each when it has begun. */
  open(...amounts: readonly number[]): Promise<void>
}

export function gates(): Gates {
  const waiting = new Map<number, () => void>()
  const began: number[] = []
  let [underWay, most] = [0, 0]
  const pass = async (amount: number, signal?: AbortSignal) => {
    began.push(amount)
    most = Math.max(most, ++underWay)
    await new Promise<void>((resolve) => {
      waiting.set(amount, resolve)
      signal?.addEventListener('abort', () => resolve())
    })
    waiting.delete(amount)
    underWay--
  }
  return {
    pass,
    began,
    get most() {
      return most
    },
    open: async (...amounts: readonly number[]) => {
      for (const amount of amounts) {
        await until(`${amount} is under way`, () => waiting.has(amount))
        waiting.get(amount)!()
      }
      await settled()
    },
  }
}

export type Sending = Reaction<'sending', typeof aggregates, any>
export type Bank = Running<typeof aggregates, {}, { sending: Sending }>

/** Sends each amount to the box of its pot, with the sum of the pot, after it was let go on. */
export function sending(concurrency: number, pass: (amount: number, signal: AbortSignal) => Promise<void>): Sending {
  return reaction('sending', aggregates, { concurrency })
    .state(() => ({ sum: 0 }))
    .on(Put, async ({ stream: { id }, data: { amount } }, { dispatch, state, setState, signal }) => {
      await pass(amount, signal)
      const sum = state.sum + amount
      await dispatch({ aggregate: 'box', id, name: 'receive', data: { amount, sum } })
      setState({ sum })
    })
}

/** Starts pots with a reaction: in memory, where nothing runs by itself, unless told otherwise. */
export function start(definition: Sending, options: StartOptions = {}): Promise<Bank> {
  const defaults = { projections: 'manual', log: recorder(), environment: manualEnvironment() } as const
  return domain({ aggregates, reactions: { sending: definition } }).start({ ...defaults, ...options })
}

interface Boxed {
  readonly amounts: readonly number[]
  readonly sums: readonly number[]
}

export const boxOf = (bank: Bank, id: string): Promise<Boxed> => bank.box(id).state()
export const positionOf = async (bank: Bank): Promise<number> => (await bank.reactions.status('sending')).position

/** Puts amounts into pots: `a1` is 1 in the pot a. */
export async function put(bank: Bank, ...what: readonly string[]): Promise<void> {
  for (const each of what) await bank.pot(each[0]!).put({ amount: Number(each.slice(1)) })
}

/** Whether each amount came into its box once, in order, with the sum so far. */
export async function checkBoxes(bank: Bank, count: number): Promise<void> {
  for (const id of 'abcdef') {
    const amounts = Array.from({ length: count }, (_, i) => i + 1).filter((i) => 'abcdef'[i % 6] === id)
    const sums = amounts.map((_, i) => amounts.slice(0, i + 1).reduce((a, b) => a + b))
    assert.deepEqual(await boxOf(bank, id), { amounts, sums }, `the box ${id}`)
  }
}

/** A store that gives leases until it is told to give none, as to a process that was silent for too long. */
export function leaseUntilDenied(factory: StoreFactory): { readonly store: StoreFactory; deny(): void } {
  let isDenied = false
  const open = async (options: OpenOptions): Promise<Store> =>
    new Proxy(await factory.open(options), {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (name === 'acquireLease') {
          return async (_: string, owner: string) => ({ owner: isDenied ? 'another' : owner, expiresAt: 0 })
        }
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  return {
    store: { name: factory.name, open },
    deny: () => {
      isDenied = true
    },
  }
}
