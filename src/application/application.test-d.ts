/**
 * What a started domain infers and refuses: commands as methods, rejections as unions, rows.
 * Compiled, never run: every @ts-expect-error must be an error, and everything else must not.
 */
import { z } from 'zod'
import { Account, Opened } from '../../examples/bank/account.ts'
import { Balances } from '../../examples/bank/balances.ts'
import { aggregate } from '../domain/aggregate.ts'
import { projection } from '../domain/code-projection.ts'
import { event } from '../domain/event.ts'
import type { FoundPage } from '../projection/reading/query.ts'
import { domain } from './domain.ts'
import type { Reading } from './running.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>) => {}

const Pinged = event('Pinged', z.object({}))
const room = aggregate('room', () => ({ pings: 0 }))
  .on(Pinged, ({ pings }) => ({ pings: pings + 1 }))
  .command('ping', z.object({}), () => Pinged())
  .command('greet', z.object({ name: z.string() }).optional(), (_, input): undefined => {
    same<typeof input, { name: string } | undefined>(true)
  })

const world = await domain({ aggregates: { account: Account, room }, projections: { balances: Balances } }).start()
const account = world.account('ada')
async function calls() {
  await account.withdraw({ amount: 1 })
  await world.room('lobby').ping()
  await world.room('lobby').greet()
  await world.room('lobby').greet({ name: 'Ada' }, { tags: ['web'] })
  await world.dispatch({ aggregate: 'room', id: 'lobby', name: 'greet' })
  // @ts-expect-error missing input
  await world.dispatch({ aggregate: 'account', id: 'ada', name: 'withdraw' })
  // @ts-expect-error no such aggregate
  world.acount('ada')
  // @ts-expect-error no such command
  account.withdrow({ amount: 1 })
  // @ts-expect-error wrong input
  account.withdraw({ amount: '1' })
  // @ts-expect-error missing input
  account.withdraw()

  const { state, events } = await account.deposit({ amount: 1 })
  same<typeof state.status, 'none' | 'open'>(true)
  for (const event of events) if (Opened.is(event)) same<typeof event.data.owner, string>(true)
  for (const event of events) if (event.type === 'MoneyDeposited') same<typeof event.data.amount, number>(true)

  const { state: shown, sequence, position } = await account.read()
  same<typeof shown, typeof state>(true)
  same<typeof sequence, typeof position>(true)
  await account.deposit({ amount: 1 }, { expectedSequence: sequence })
  await account.try.deposit({ amount: 1 }, { expectedSequence: undefined })
  await world.room('lobby').ping({}, { expectedSequence: 0 })
  await world.dispatch({ aggregate: 'room', id: 'lobby', name: 'greet', expectedSequence: sequence })
  // @ts-expect-error a sequence is a number
  await account.deposit({ amount: 1 }, { expectedSequence: '1' })
  // @ts-expect-error not its name
  await account.deposit({ amount: 1 }, { expectedVersion: 1 })
  // @ts-expect-error a sequence is a number
  await world.dispatch({ aggregate: 'room', id: 'lobby', name: 'greet', expectedSequence: '1' })

  const outcome = await account.try.withdraw({ amount: 1 })
  // @ts-expect-error the outcome has to be checked first
  outcome.state
  if (outcome.accepted) return outcome.sequence
  same<typeof outcome.rejection.code, 'NotOpen' | 'InsufficientFunds'>(true)
  switch (outcome.rejection.code) {
    case 'InsufficientFunds':
      return outcome.rejection.details.balance
    case 'NotOpen':
      return 0
    // @ts-expect-error `open` can be rejected with this, `withdraw` cannot
    case 'AlreadyOpen':
      return 1
  }
}

async function streams() {
  const { ids, next } = await world.account.ids({ after: 'ada', limit: 10 })
  same<typeof ids, readonly string[]>(true)
  same<typeof next, string | undefined>(true)
  const [first] = await world.account.states(ids)
  same<typeof first, Reading<Awaited<ReturnType<typeof account.state>>> | undefined>(true)
  same<Awaited<ReturnType<typeof world.account.sequences>>, readonly number[]>(true)
  same<ReturnType<typeof world.head>, Promise<number>>(true)
  for await (const { data, type } of account.history({ from: 1, to: 9, direction: 'backward', limit: 2 })) {
    if (type === 'MoneyDeposited') same<typeof data.amount, number>(true)
  }
  for await (const event of account.events({ from: 'now' })) {
    if (event.type === 'MoneyDeposited') same<typeof event.data.amount, number>(true)
    account.events({ after: event })
    world.events({ after: event })
  }
  // @ts-expect-error one stream has no filter
  account.events({ types: ['MoneyDeposited'] })
  // @ts-expect-error a place has a sequence
  account.events({ after: { position: 1, checksum: 1 } })
  // @ts-expect-error no such direction
  account.history({ direction: 'up' })
  // @ts-expect-error no such option
  world.account.ids({ before: 'ada' })
  // @ts-expect-error ids are a list
  await world.account.states('ada')
}

async function queries() {
  const row = await world.balances.get('ada')
  // @ts-expect-error there may be no such row
  row.balance
  same<typeof row, { owner: string; balance: number; lastMovement: Date | undefined } | undefined>(true)
}

interface Kept {
  readonly total: number
  readonly note: string | null
  readonly since?: Date
  readonly address: { readonly city: string }
  readonly result: 'pending' | { readonly score: number }
  readonly tags: readonly string[]
}
const Kinds = projection(
  'kinds',
  (): Kept => ({ total: 0, note: null, address: { city: '' }, result: 'pending', tags: [] }),
).on(Pinged, (row) => row)
const kept = await domain({ aggregates: { room }, projections: { kinds: Kinds } }).start()

async function finding() {
  const found = await kept.kinds.find({
    where: { total: { gte: 1, lt: 3 }, note: null, tags: ['a'], since: new Date() },
  })
  same<typeof found, FoundPage<Kept>>(true)
  await kept.kinds.find({ where: { address: { city: 'Rome' }, note: { not: 'a' }, since: { lt: new Date() } } })
  await kept.kinds.find({ where: { result: { in: [{ score: 3 }, 'pending'] } } })
  await kept.kinds.find({ where: { result: 'pending' } })
  // @ts-expect-error no such operator
  await kept.kinds.find({ where: { total: { $gt: 3 } } })
  // @ts-expect-error no such operator
  await kept.kinds.find({ where: { total: { greater: 3 } } })
  // @ts-expect-error not the field's type
  await kept.kinds.find({ where: { total: { gt: '3' } } })
  // @ts-expect-error what may be simple is compared with a record by `in`
  await kept.kinds.find({ where: { result: { score: 3 } } })
  // @ts-expect-error no such field
  await kept.kinds.find({ where: { sum: 3 } })
  await kept.kinds.find({ where: { 'address.city': { startsWith: 'R' }, 'result.score': { gt: 3 } } })
  await kept.kinds.find({ or: [{ total: 1 }, { 'address.city': 'Rome' }] })
  await kept.kinds.find({ orderBy: [['address.city', 'descending'], 'total'], after: found.next })
  await kept.kinds.count({ where: { note: { includes: 'x' } } })
  // @ts-expect-error no such field within the record
  await kept.kinds.find({ where: { 'address.town': 'Rome' } })
  // @ts-expect-error not the type of the field within the record
  await kept.kinds.find({ where: { 'address.city': 3 } })
  // @ts-expect-error a number has no beginning
  await kept.kinds.find({ where: { total: { startsWith: '3' } } })
  // @ts-expect-error no such field to order by
  await kept.kinds.find({ orderBy: ['sum'] })
  // @ts-expect-error no such direction
  await kept.kinds.find({ orderBy: [['total', 'down']] })
  // @ts-expect-error no such field
  await kept.kinds.count({ where: { sum: 3 } })
}

void calls
void streams
void queries
void finding

Kinds.indexed('total', ['address.city', 'descending']).indexed('since')
// @ts-expect-error no such field
Kinds.indexed('sum')
// @ts-expect-error no such direction
Kinds.indexed(['total', 'down'])
