/**
 * A takeover in the middle of a handler must not harm rows, tables of code, parked events, or a reaction with two ways.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import {
  aggregate,
  type Domain,
  domain,
  event,
  projection,
  type Reaction,
  type Running,
  reaction,
  reject,
} from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { at } from '../../src/testing/checkpoint-at.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { recorder } from '../support/kernel/rig.ts'
import { checkRows, foldOf, logFrom, Pot, Put, type Sick, startRows, withStore } from '../support/read-side/pots.ts'
import { tryTakeovers } from '../support/read-side/takeovers.ts'
import { sized } from '../support/size.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const quiet = () => ({ projections: 'manual', log: recorder() }) as const

// -- an order that is paid, or fails: never both -------------------------------------------------------------

const amount = z.object({ amount: z.int().positive() })
const Deposited = event('Deposited', amount)
const Withdrawn = event('Withdrawn', amount)
const Purse = aggregate('purse', () => ({ balance: 0 }))
  .on(Deposited, ({ balance }, { amount }) => ({ balance: balance + amount }))
  .on(Withdrawn, ({ balance }, { amount }) => ({ balance: balance - amount }))
  .command('deposit', amount, (_, data) => Deposited(data))
  .command('withdraw', amount, ({ balance }, data) =>
    balance < data.amount ? reject('TooLittle', { balance }) : Withdrawn(data),
  )
  /** Takes what the account has; if it has nothing, there is nothing to do. */
  .command('sweep', z.object({}), ({ balance }) => (balance === 0 ? undefined : Withdrawn({ amount: balance })))

const Placed = event('Placed', amount)
const Paid = event('Paid', z.object({ nth: z.int() }))
const Failed = event('Failed', z.object({ nth: z.int() }))
const Reminded = event('Reminded', z.object({}))
const nth = z.object({ nth: z.int() })
const Order = aggregate('order', () => ({}))
  .on(Placed)
  .on(Paid)
  .on(Failed)
  .on(Reminded)
  .command('place', amount, (_, data) => Placed(data))
  .command('pay', nth, (_, data) => Paid(data))
  .command('fail', nth, (_, data) => Failed(data))
  .command('remind', z.object({}), () => Reminded({}))

const aggregates = { purse: Purse, order: Order }
type Paying = Reaction<'paying', typeof aggregates, { readonly seen: number }>
type Shop = Running<typeof aggregates, {}, { paying: Paying }>
type Shops = Domain<typeof aggregates, {}, { paying: Paying }>

/** Whether both orders are handled at once, each with its own state, or one after the other with one state. */
type Together = 'one after the other' | 'both at once'

/** Takes the money, records the result, counts the events, and schedules one reminder. */
const payingBy = (take: 'withdraw' | 'sweep', together: Together): Shops =>
  domain({
    aggregates,
    reactions: {
      paying: reaction('paying', aggregates, { concurrency: together === 'both at once' ? 2 : 1 })
        .state(
          () => ({ seen: 0 }),
          ({ stream }) => (together === 'both at once' ? stream.id : 'all'),
        )
        .on(Placed, async ({ stream: { id }, data }, { dispatch, schedule, state, setState }) => {
          const seen = state.seen + 1
          setState({ seen })
          const command = take === 'sweep' ? { name: 'sweep' as const } : { name: 'withdraw' as const, data }
          const taken = await dispatch({ aggregate: 'purse', id: 'p', ...command })
          const isPaid = taken.accepted && taken.events.length > 0
          await dispatch({ aggregate: 'order', id, name: isPaid ? 'pay' : 'fail', data: { nth: seen } })
          schedule({ aggregate: 'order', id, name: 'remind' }, { afterMs: 1000 })
        }),
    },
  })

const historyOf = async (shop: Shop, id: string) => (await Array.fromAsync(shop.order(id).history())).slice(1)

/** Money taken for orders, by the commands of the reaction. */
async function takenFor(shop: Shop, reaction: string): Promise<number> {
  const events = await Array.fromAsync(shop.purse('p').history())
  return events.filter(({ type, commitId }) => type === 'Withdrawn' && commitId.startsWith(reaction)).length
}

/**
 * Two orders, of which at most one can be paid. There are two because the second starts with the state that the first
 * has left.
 */
async function checkOrders(shop: Shop, place: string, together: Together): Promise<void> {
  let paid = 0
  for (const [i, id] of ['o1', 'o2'].entries()) {
    const history = await historyOf(shop, id)
    const ways = history.filter(({ type }) => type !== 'Reminded')
    assert.equal(ways.length, 1, `one way for ${id}, ${place}`)
    const nth = together === 'both at once' ? 1 : i + 1
    assert.deepEqual(ways[0]!.data, { nth }, `no update of the state is lost, ${place}`)
    assert.equal(history.length, 2, `one reminder of ${id}, ${place}`)
    if (ways[0]!.type === 'Paid') paid++
  }
  assert.equal(await takenFor(shop, '~paying:'), paid, `what was taken was paid for, ${place}`)
}

interface Seen {
  readonly pot: string
  readonly amount: number
}

/** A projection as code that stores the events it gets: in a table if it has the transaction, otherwise in memory. */
function seeing(sick: Sick, transactions: boolean) {
  const table = `seen_${randomUUID().replaceAll('-', '')}`
  /** The events that the handler got, in a store without transactions. */
  const seen: Seen[] = []
  let inserted = 0
  const Seeing = projection('seeing')
    .handle([Put], async (events, tools) => {
      const found = events.find(({ data }) => sick.has(data.amount))
      if (found !== undefined) throw new RangeError(`sick of ${found.data.amount}`)
      for (const { stream, data } of events) {
        const { amount } = data
        if (!transactions) seen.push({ pot: stream.id, amount })
        else await tools.transaction.query(`INSERT INTO ${table} VALUES (${++inserted}, '${stream.id}', ${amount})`)
      }
    })
    .onFailure({ retries: 0, giveUp: 'park' })
    .prepare(async (tools) => {
      if (!transactions) return
      await tools.transaction.query(`CREATE TABLE IF NOT EXISTS ${table} (nth INTEGER, pot TEXT, amount INTEGER)`)
    })
  const found = async (on: StoreFactory): Promise<readonly Seen[]> => {
    if (!transactions) return seen
    return withStore(on, async (opened) => {
      let rows: readonly Seen[] = []
      await opened.transact!(`reader ${table}`, at(0), async (transaction) => {
        rows = await transaction.query(`SELECT pot, amount FROM ${table} ORDER BY nth`)
        return { to: at(0), rows: [] }
      })
      return rows
    })
  }
  return { Seeing, found }
}

const takeovers = { title: 'A takeover at any wait', quickOn: ['memory'] } as const
await onEveryStore(takeovers, ({ name, place, severalWriters, transactions }) => {
  /** Each trial opens the store several times: in memory every wait is tried, elsewhere some of them. */
  const stride = name === 'memory' ? sized(1, 2) : sized(20, 32)
  const testHere = testWhere(severalWriters)

  const all = (['withdraw', 'sweep'] as const).flatMap((take) =>
    (['is emptied meanwhile', 'is filled meanwhile'] as const).flatMap((world) =>
      (['one after the other', 'both at once'] as const).map((together) => ({ take, world, together })),
    ),
  )
  const emptied = all.filter(({ world, together }) => together !== 'both at once' || world === 'is emptied meanwhile')
  const chosen =
    name === 'memory'
      ? emptied
      : emptied.filter(({ take, together }) => take === 'sweep' && together === 'both at once')
  for (const { take, world, together } of chosen) {
    testHere(
      `of a reaction that does ${take}, ${together}, from a purse that ${world} takes one way only`,
      async (t) => {
        const Shops = payingBy(take, together)
        const gates = await tryTakeovers(async () => {
          const [store, environment] = [await place(t), manualEnvironment()]
          const start = (on: StoreFactory) => Shops.start({ store: on, environment, ...quiet() })
          const runAll = async (shop: Shop) => {
            await shop.reactions.runOnce('paying')
            await environment.advance(1000)
            await shop.reactions.runOnce('paying')
          }
          {
            await using shop = await start(store)
            if (world === 'is emptied meanwhile') await shop.purse('p').deposit({ amount: 10 })
            for (const id of ['o1', 'o2']) await shop.order(id).place({ amount: 10 })
          }
          return {
            store,
            begin: async (gate) => {
              const shop = await start(gate)
              return { run: () => runAll(shop), [Symbol.asyncDispose]: () => shop.stop() }
            },
            takeOver: async (unleased) => {
              await using shop = await start(unleased)
              const { balance } = await shop.purse('p').state()
              if (world === 'is filled meanwhile') await shop.purse('p').deposit({ amount: 10 })
              else if (balance > 0) await shop.purse('p').withdraw({ amount: balance })
              await shop.reactions.runOnce('paying')
              // And back again, so that the first one would get the answer that the second did not.
              if (world === 'is emptied meanwhile') await shop.purse('p').deposit({ amount: 10 })
              else await shop.purse('p').sweep()
            },
            check: async (unleased, where) => {
              await using shop = await start(unleased)
              await environment.advance(1000)
              await shop.reactions.runOnce('paying')
              await checkOrders(shop, where, together)
            },
          }
        }, stride)
        assert.ok(gates > 10, `there were ${gates} gates`)
      },
    )
  }

  for (const retries of ['while it runs', 'while it retries parked events'] as const) {
    testHere(`of a projection ${retries} loses, doubles and swaps nothing`, async (t) => {
      const gates = await tryTakeovers(async () => {
        const [store, sick] = [await place(t), new Set([2])]
        const start = (on: StoreFactory) => startRows({ store: on, sick, policy: { giveUp: 'park' } })
        {
          await using pots = await start(store)
          await pots.pot('a').fill({ amounts: [1, 2, 3] })
          await pots.pot('b').put({ amount: 10, keys: ['b', 'c'] })
          if (retries === 'while it retries parked events') {
            await pots.projections.runOnce('rows')
            sick.clear()
          }
        }
        return {
          store,
          begin: async (gate) => {
            const pots = await start(gate)
            const run = async () => {
              await pots.projections.runOnce('rows')
              sick.clear()
              await pots.projections.retryParked('rows')
            }
            return { run, [Symbol.asyncDispose]: () => pots.stop() }
          },
          takeOver: async (unleased) => {
            await using pots = await start(unleased)
            await pots.pot('a').put({ amount: 4 })
            await pots.projections.runOnce('rows')
            sick.clear()
            await pots.projections.retryParked('rows')
            await pots.pot('a').put({ amount: 5 })
          },
          check: async (unleased, where) => {
            await using pots = await start(unleased)
            await pots.projections.runOnce('rows')
            await pots.projections.retryParked('rows')
            assert.deepEqual(await pots.projections.parked('rows'), [], where)
            await checkRows(pots)
          },
        }
      }, stride)
      assert.ok(gates > 5, `there were ${gates} gates`)
    })
  }

  testHere('of a projection as code keeps the order of each key, and doubles nothing in a transaction', async (t) => {
    const gates = await tryTakeovers(async () => {
      const [store, sick] = [await place(t), new Set([2])]
      const { Seeing, found } = seeing(sick, transactions)
      const Pots = domain({ aggregates: { pot: Pot }, projections: { seeing: Seeing } })
      const start = (on: StoreFactory) => Pots.start({ store: on, ...quiet() })
      {
        await using pots = await start(store)
        await pots.pot('a').fill({ amounts: [1, 2, 3] })
        await pots.pot('b').put({ amount: 10 })
      }
      return {
        store,
        begin: async (gate) => {
          const pots = await start(gate)
          const run = async () => {
            await pots.projections.runOnce('seeing')
            sick.clear()
            await pots.projections.retryParked('seeing')
          }
          return { run, [Symbol.asyncDispose]: () => pots.stop() }
        },
        takeOver: async (unleased) => {
          await using pots = await start(unleased)
          await pots.projections.runOnce('seeing')
          sick.clear()
          await pots.projections.retryParked('seeing')
          await pots.pot('a').put({ amount: 4 })
        },
        check: async (unleased, where) => {
          await using pots = await start(unleased)
          await pots.projections.runOnce('seeing')
          await pots.projections.retryParked('seeing')
          assert.deepEqual(await pots.projections.parked('seeing'), [], where)
          const { head } = await pots.projections.status('seeing')
          const wanted = foldOf(await logFrom(pots, head))
          for (const [id, amounts] of Object.entries(wanted)) {
            const inOrder = (await found(store)).filter(({ pot }) => pot === id).map(({ amount }) => amount)
            assert.deepEqual(transactions ? inOrder : [...new Set(inOrder)], amounts, `${id} is in order, ${where}`)
          }
        },
      }
    }, stride)
    assert.ok(gates > 5, `there were ${gates} gates`)
  })
})
