/** The code of docs/guide/projections.md, run as tests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { domain, projection } from '../../src/index.ts'
import { Account, Deposited, Opened, Withdrawn } from '../bank/account.ts'

// #region several-rows
const ByDay = projection('movements', () => ({ count: 0, sum: 0 }))
  .on(Deposited, ({ count, sum }, { amount }) => ({ count: count + 1, sum: sum + amount }))
  .on(Withdrawn, ({ count, sum }, { amount }) => ({ count: count + 1, sum: sum - amount }))
  .by((event) => [event.recordedAt.toISOString().slice(0, 10), 'all days'])
// #endregion

// #region deleted
const Solvent = projection('solvent', () => ({ balance: 0 }))
  .on(Deposited, ({ balance }, { amount }) => ({ balance: balance + amount }))
  .on(Withdrawn, ({ balance }, { amount }) => (balance === amount ? undefined : { balance: balance - amount }))
// #endregion

// #region single
const Bank = projection('bank', () => ({ accounts: 0, money: 0 }))
  .on(Opened, (bank) => ({ ...bank, accounts: bank.accounts + 1 }))
  .on(Deposited, (bank, { amount }) => ({ ...bank, money: bank.money + amount }))
  .on(Withdrawn, (bank, { amount }) => ({ ...bank, money: bank.money - amount }))
  .single()
// #endregion

const Books = domain({
  aggregates: { account: Account },
  projections: { movements: ByDay, solvent: Solvent, whole: Bank },
})

test('rows are read by key, by their fields, or as one state', async () => {
  await using books = await Books.start()
  await books.account('ada').open({ owner: 'Ada' })
  await books.account('bob').open({ owner: 'Bob' })
  await books.account('ada').deposit({ amount: 100 })
  await books.account('bob').deposit({ amount: 10 })
  const { position } = await books.account('bob').withdraw({ amount: 10 })
  // #region reading
  const wait = { atLeast: position }
  await books.movements.get('all days', wait)
  await books.whole.state(wait)
  await books.solvent.find(
    { where: { balance: { gte: 50 } }, orderBy: 'balance', direction: 'descending', limit: 10 },
    wait,
  )
  // #endregion
  assert.deepEqual(await books.movements.get('all days', wait), { count: 3, sum: 100 })
  assert.deepEqual(await books.whole.state(wait), { accounts: 2, money: 100 })
  assert.deepEqual(await books.solvent.find({}, wait), [{ key: 'ada', row: { balance: 100 } }])
})

test('projections are managed by name', async () => {
  await using books = await Books.start()
  // #region managing
  const { state, position, head, lag } = await books.projections.status('movements')
  console.log(`${state} at ${position} of ${head}, ${lag.ms} ms behind`)
  await books.projections.pause('movements')
  await books.projections.resume('movements')
  await books.projections.stop('movements')
  await books.projections.start('movements')
  // #endregion
  assert.equal((await books.projections.lookup('movements'))?.name, 'movements')
})

test('the log can be followed', async () => {
  await using books = await Books.start()
  await books.account('ada').open({ owner: 'Ada' })
  await books.account('ada').deposit({ amount: 100 })
  let seen = 0
  // #region events
  const controller = new AbortController()
  const deposits = books.events({ from: 1, types: ['MoneyDeposited'], signal: controller.signal })
  for await (const { position, stream, data } of deposits) {
    console.log(position, stream.id, data.amount)
    seen = position // keep it, and go on with `from: seen + 1` another time
    if (seen >= 2) break
  }
  // #endregion
  assert.equal(seen, 2)
})
