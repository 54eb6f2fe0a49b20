/** The code of docs/guide/projections.md, run as tests. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { domain, memory, projection, sql } from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
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

// #region indexed
const Accounts = projection('accounts', () => ({ owner: '', balance: 0, openedAt: new Date(0) }))
  .on(Opened, (row, { owner }, { recordedAt }) => ({ ...row, owner, openedAt: recordedAt }))
  .on(Deposited, (row, { amount }) => ({ ...row, balance: row.balance + amount }))
  .indexed('owner', ['openedAt', 'descending'])
  .indexed(['balance', 'descending'])
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
  projections: { movements: ByDay, solvent: Solvent, whole: Bank, accounts: Accounts },
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
  const richest = { where: { balance: { gte: 50 } }, orderBy: [['balance', 'descending']], limit: 10 } as const
  const { rows, next } = await books.solvent.find(richest, wait)
  if (next !== undefined) await books.solvent.find({ ...richest, after: next })
  await books.solvent.count({ where: { balance: { gte: 50 } } })
  // #endregion
  assert.deepEqual(await books.movements.get('all days', wait), { count: 3, sum: 100 })
  assert.deepEqual(await books.whole.state(wait), { accounts: 2, money: 100 })
  const newest = { where: { owner: 'Ada' }, orderBy: [['openedAt', 'descending']], limit: 20 } as const
  assert.deepEqual(
    (await books.accounts.find(newest, wait)).rows.map(({ key }) => key),
    ['ada'],
  )
  const largest = await books.accounts.find({ orderBy: [['balance', 'descending']], limit: 1 })
  assert.equal(largest.rows[0]?.row.balance, 100)
  assert.deepEqual(rows, [{ key: 'ada', row: { balance: 100 } }])
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

// #region code
const Payments = projection('payments')
  .handle([Deposited, Withdrawn], async (events, { transaction }) => {
    for (const { stream, position, type, data } of events) {
      const amount = type === 'MoneyDeposited' ? data.amount : -data.amount
      await transaction.query(sql`INSERT INTO payments VALUES (${position}, ${stream.id}, ${amount})`)
    }
  })
  .prepare(({ transaction }) =>
    transaction.query(
      sql`CREATE TABLE IF NOT EXISTS payments (position INTEGER PRIMARY KEY, account TEXT, amount INTEGER)`,
    ),
  )
// #endregion

test('a projection can be code with tables of its own', async (context) => {
  // #region temporary
  const directory = await mkdtemp(join(tmpdir(), 'mneme-guide-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'bank.db')
  // #endregion
  const Domain = domain({ aggregates: { account: Account }, projections: { payments: Payments } })
  await using bank = await Domain.start({ store: sqlite(path) })
  await bank.account('ada').open({ owner: 'Ada' })
  // #region code-read
  const { position } = await bank.account('ada').deposit({ amount: 100 })
  const rows = await bank.payments.read(
    sql<{ amount: number }>`SELECT amount FROM payments WHERE account = ${'ada'}`,
    { atLeast: position }, // your own write is in the rows
  )
  // #endregion
  assert.deepEqual(rows, [{ amount: 100 }])
  // #region code-read-several
  const accounts = ['ada', 'bob']
  const wanted = sql`account IN ${sql.list(accounts)} AND amount > ${10}`
  const page = await bank.payments.read(async ({ query }) => ({
    rows: await query(sql`SELECT * FROM payments WHERE ${wanted} ORDER BY position LIMIT ${20}`),
    sums: await query<{ sum: number }>(sql`SELECT sum(amount) AS sum FROM payments WHERE ${wanted}`),
  }))
  // #endregion
  assert.deepEqual(page, { rows: [{ position, account: 'ada', amount: 100 }], sums: [{ sum: 100 }] })
})

test('a projection as code can be redone from the whole log', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-guide-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'bank.db')
  const Domain = domain({ aggregates: { account: Account }, projections: { payments: Payments } })
  await using bank = await Domain.start({ store: sqlite(path) })
  await bank.account('ada').open({ owner: 'Ada' })
  const { position } = await bank.account('ada').deposit({ amount: 100 })
  await bank.payments.reached({ atLeast: position })
  // #region redo
  await bank.projections.stop('payments')
  await bank.projections.reset('payments', { from: 1 })
  const database = new DatabaseSync(path)
  database.exec('DELETE FROM payments')
  database.close()
  await bank.projections.start('payments')
  // #endregion
  await bank.payments.reached({ atLeast: position })
  const rows = await bank.payments.read(sql`SELECT account, amount FROM payments`)
  assert.deepEqual(rows, [{ account: 'ada', amount: 100 }])
})

let isFixed = false

// #region park
const Careful = projection('careful', () => ({ balance: 0 }))
  .on(Deposited, ({ balance }, { amount }) => {
    if (amount === 13 && !isFixed) throw new RangeError('unlucky')
    return { balance: balance + amount }
  })
  .onFailure({ giveUp: 'park' })
// #endregion

test('what cannot be handled can be parked', async () => {
  const Domain = domain({ aggregates: { account: Account }, projections: { careful: Careful } })
  await using bank = await Domain.start({ log: { warn: () => {} } })
  await bank.account('ada').open({ owner: 'Ada' })
  await bank.account('bob').open({ owner: 'Bob' })
  await bank.account('ada').deposit({ amount: 13 })
  await bank.account('ada').deposit({ amount: 5 })
  const { position } = await bank.account('bob').deposit({ amount: 7 })
  await bank.careful.get('bob', { atLeast: position })
  // #region parked
  for (const { position, type, reason } of await bank.projections.parked('careful')) {
    console.log(`${type} at ${position}: ${reason}`)
  }
  isFixed = true
  const { handled } = await bank.projections.retryParked('careful')
  // #endregion
  assert.equal(handled, 2)
  assert.deepEqual(await bank.careful.get('ada'), { balance: 18 })
})

test('rows can be rebuilt while the old ones serve', async () => {
  const store = memory()
  const start = (doubled: boolean) =>
    domain({
      aggregates: { account: Account },
      projections: {
        sums: projection('sums', () => ({ sum: 0 }))
          .on(Deposited, ({ sum }, { amount }) => ({ sum: sum + (doubled ? 2 : 1) * amount }))
          .revision(doubled ? 2 : 1),
      },
    }).start({ store })
  const before = await start(false)
  await before.account('ada').open({ owner: 'Ada' })
  const { position } = await before.account('ada').deposit({ amount: 10 })
  await before.sums.get('ada', { atLeast: position })
  await before.stop()
  await using bank = await start(true)
  await bank.sums.get('ada', { atLeast: position })
  // #region rebuild
  for await (const { done, perSecond, remainingMs } of bank.projections.rebuild('sums')) {
    console.log(`${done} events, ${perSecond} a second, ${remainingMs} ms to go`)
  }
  const { rows, differing } = await bank.projections.compare('sums')
  console.log(`${differing} of ${rows} rows differ from what the events say`)
  // #endregion
  assert.equal(differing, 0)
  assert.deepEqual(await bank.sums.get('ada'), { sum: 20 })
})

test('the log can be followed', async () => {
  await using books = await Books.start()
  await books.account('ada').open({ owner: 'Ada' })
  await books.account('ada').deposit({ amount: 100 })
  let seen = { position: 0, checksum: 0 }
  // #region events
  const controller = new AbortController()
  const deposits = books.events({ from: 1, types: ['MoneyDeposited'], signal: controller.signal })
  for await (const { position, checksum, stream, data } of deposits) {
    console.log(position, stream.id, data.amount)
    seen = { position, checksum } // keep it, and go on with `after: seen` another time
    if (position >= 2) break
  }
  // #endregion
  assert.equal(seen.position, 2)
})

test('one stream can be followed', async () => {
  await using books = await Books.start()
  await books.account('ada').open({ owner: 'Ada' })
  await books.account('ada').deposit({ amount: 100 })
  let last = 1
  // #region stream
  const controller = new AbortController()
  const { signal } = controller
  for await (const { sequence, type, data } of books.account('ada').events({ from: last + 1, signal })) {
    console.log(sequence, type, data)
    last = sequence // keep it, and go on with `from: last + 1` another time
    if (type === 'MoneyDeposited' && data.amount === 100) break
  }
  // #endregion
  assert.equal(last, 2)
})
