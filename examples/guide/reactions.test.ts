/** The code of docs/guide/reactions.md, run as tests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { domain, memory, reaction, type StepTools } from '../../src/index.ts'
import { Account, Deposited, Opened, Withdrawn } from '../bank/account.ts'

const aggregates = { account: Account }

// #region welcome
const Welcome = reaction('welcome gift', aggregates).on(Opened, async ({ stream }, { dispatch }) => {
  await dispatch({ aggregate: 'account', id: stream.id, name: 'deposit', data: { amount: 10 } })
})
// #endregion

/** Mails that were sent. */
const mails: string[] = []
const sendMail = (to: string) => mails.push(to)

// #region now
const WelcomeMail = reaction('welcome mail')
  .from('now')
  .on(Opened, ({ stream }) => {
    sendMail(stream.id)
  })
// #endregion

test('a reaction begins where its definition says', async () => {
  const store = memory()
  await using old = await domain({ aggregates }).start({ store })
  await old.account('ada').open({ owner: 'Ada' })
  const withMails = domain({ aggregates, reactions: { mails: WelcomeMail } })
  await using bank = await withMails.start({ store, projections: 'manual' })
  await bank.account('bob').open({ owner: 'Bob' })
  await bank.reactions.runOnce('mails')
  assert.deepEqual(mails, ['bob'])
})

// #region schedule
const Cashback = reaction('cashback', aggregates)
  .on(Withdrawn, ({ stream, data }, { schedule }) => {
    const amount = Math.ceil(data.amount / 100)
    const command = { aggregate: 'account', id: stream.id, name: 'deposit', data: { amount } } as const
    schedule(command, { afterMs: 24 * 60 * 60 * 1000 }) // or a Date
  })
  .onFailure({ retries: 5, pauseFirstMs: 200, giveUp: 'stop' })
// #endregion

/** A payment provider that remembers by keys what it has charged. */
const charged = new Map<string, number>()
const gateway = {
  async charge(amount: number, { idempotencyKey, signal }: { idempotencyKey: string; signal: AbortSignal }) {
    signal.throwIfAborted()
    charged.set(idempotencyKey, amount)
    return { discount: amount >= 100 ? 1 : 0 }
  },
}

// #region step
const Fees = reaction('fees', aggregates).on(Withdrawn, async ({ stream, data }, { step, dispatch }) => {
  const charge = ({ id, signal }: StepTools) => gateway.charge(data.amount, { idempotencyKey: id, signal })
  const paid = await step('charge', charge, { timeoutMs: 5000, retries: 2 })
  const command = { aggregate: 'account', id: stream.id, name: 'deposit', data: { amount: paid.discount } } as const
  if (paid.discount > 0) await dispatch(command)
})
// #endregion

test('a reaction does steps outside', async () => {
  await using bank = await domain({ aggregates, reactions: { fees: Fees } }).start({ projections: 'manual' })
  const ada = bank.account('ada')
  await ada.open({ owner: 'Ada' })
  await ada.deposit({ amount: 200 })
  for (const amount of [100, 10]) await ada.withdraw({ amount })
  await bank.reactions.runOnce('fees')
  assert.deepEqual([...charged.values()], [100, 10])
  assert.equal((await ada.state()).balance, 91)
})

test('metadata passes from an event to its commands', async () => {
  // #region carry
  const Bank = domain({ aggregates, reactions: { welcome: Welcome }, carry: ['user', 'tenant'] })
  // #endregion
  await using bank = await Bank.start({ projections: 'manual' })
  await bank.account('ada').open({ owner: 'Ada' }, { metadata: { user: 'u-1', ip: '::1' } })
  await bank.reactions.runOnce('welcome')
  const { metadata } = (await Array.fromAsync(bank.account('ada').history()))[1]!
  assert.deepEqual([metadata['user'], metadata['ip']], ['u-1', undefined])
})

// #region keyed
const Reminder = reaction('reminder', aggregates)
  .on(Deposited, ({ stream: { id } }, { schedule }) => {
    // After each deposit the month begins again.
    const command = { aggregate: 'account', id, name: 'deposit', data: { amount: 1 } } as const
    schedule(command, { afterMs: 30 * 24 * 60 * 60 * 1000 }, { key: id })
  })
  .on(Withdrawn, ({ stream: { id } }, { cancel }) => cancel(id))
// #endregion

test('a reaction can move and cancel what it has scheduled', async () => {
  const printed: unknown[][] = []
  const print = (...parts: unknown[]) => printed.push(parts)
  await using bank = await domain({ aggregates, reactions: { reminder: Reminder } }).start({ projections: 'manual' })
  for (const id of ['ada', 'bob']) await bank.account(id).open({ owner: id })
  for (const id of ['ada', 'bob', 'ada']) await bank.account(id).deposit({ amount: 10 })
  await bank.account('bob').withdraw({ amount: 5 })
  await bank.reactions.runOnce('reminder')
  // #region timers
  const { timers, next } = await bank.reactions.timers('reminder', { limit: 20 })
  for (const { command, dueAt, key, position, failures } of timers) print(dueAt, command.name, key, position, failures)
  // #endregion
  // #region waiting
  const ofAda = await bank.reactions.waiting('reminder', { key: { aggregate: 'account', id: 'ada' } })
  for (const one of ofAda.waiting) print(`${one.type} at ${one.position}`, one.why)
  // #endregion
  assert.equal(ofAda.next, undefined)
  assert.equal(next, undefined)
  assert.deepEqual(
    printed.map(([, ...rest]) => rest),
    [['deposit', 'ada', 5, 0], ['scheduled']],
  )
})

// #region state
const Loyalty = reaction('loyalty', aggregates)
  .state(() => ({ withdrawals: 0 }))
  .on(Withdrawn, async ({ stream }, { state, setState, dispatch }) => {
    const withdrawals = state.withdrawals + 1
    setState(withdrawals < 3 ? { withdrawals } : undefined) // undefined forgets it
    if (withdrawals < 3) return
    await dispatch({ aggregate: 'account', id: stream.id, name: 'deposit', data: { amount: 1 } })
  })
// #endregion

/** Owners who have got a second account. */
const congratulated: string[] = []
const congratulate = (owner: string) => void congratulated.push(owner)

// #region state-key
const Owners = reaction('owners', aggregates)
  .state(
    () => ({ accounts: 0 }),
    (event) => (Opened.is(event) ? event.data.owner : event.stream.id),
  )
  .on(Opened, ({ data }, { state, setState }) => {
    setState({ accounts: state.accounts + 1 })
    if (state.accounts === 1) congratulate(data.owner)
  })
// #endregion

// #region concurrency
const Audit = reaction('audit', aggregates, { concurrency: 10 }).on(Withdrawn, async ({ stream, data }, { signal }) => {
  await tellAuditor(`${stream.id}: ${data.amount}`, signal)
})
// #endregion

/** Somebody far away. */
const told = new Set<string>()
async function tellAuditor(line: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await new Promise(setImmediate)
  told.add(line)
}

test('a reaction can handle several events at once', async () => {
  await using bank = await domain({ aggregates, reactions: { audit: Audit } }).start({ projections: 'manual' })
  for (const id of ['ada', 'bob']) {
    await bank.account(id).open({ owner: id })
    await bank.account(id).deposit({ amount: 100 })
    for (const amount of [1, 2]) await bank.account(id).withdraw({ amount })
  }
  await bank.reactions.runOnce('audit')
  assert.deepEqual(
    [...told].filter((line) => line.startsWith('ada')),
    ['ada: 1', 'ada: 2'],
  )
  assert.equal(told.size, 4)
})

test('a reaction can remember', async () => {
  await using bank = await domain({ aggregates, reactions: { loyalty: Loyalty } }).start({ projections: 'manual' })
  const ada = bank.account('ada')
  await ada.open({ owner: 'Ada' })
  await ada.deposit({ amount: 100 })
  for (let i = 0; i < 7; i++) await ada.withdraw({ amount: 10 })
  await bank.reactions.runOnce('loyalty')
  assert.equal((await ada.state()).balance, 32)
})

test('the state of a reaction may belong to something that the event names', async () => {
  await using bank = await domain({ aggregates, reactions: { owners: Owners } }).start({ projections: 'manual' })
  for (const id of ['one', 'two']) await bank.account(id).open({ owner: 'Ada' })
  await bank.account('three').open({ owner: 'Bob' })
  await bank.reactions.runOnce('owners')
  assert.deepEqual(congratulated, ['Ada'])
})

test('a reaction acts on events, and is managed by name', async () => {
  // #region running
  const Bank = domain({ aggregates, reactions: { welcome: Welcome, cashback: Cashback } })
  await using bank = await Bank.start()
  await bank.account('ada').open({ owner: 'Ada' })
  const { state, lag } = await bank.reactions.status('welcome')
  // #endregion
  assert.ok(['running', 'standby'].includes(state) && lag.events >= 0)
  while ((await bank.account('ada').state()).balance < 10) await new Promise(setImmediate)
})
