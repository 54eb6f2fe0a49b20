/**
 * Every answer is true: a process answers with the stored state, whatever state it has in memory. Two domains on one
 * store represent two processes. All calls are made one after the other, so each has exactly one right answer.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, hasCode, reject, type StartOptions } from '../../src/index.ts'
import { memory } from '../../src/store/memory/index.ts'
import type { Store, StoreFactory } from '../../src/store/store.ts'
import { recorder, until } from '../support/kernel/rig.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const Deposited = event('Deposited', z.object({ amount: z.int() }))
const Withdrawn = event('Withdrawn', z.object({ amount: z.int() }))
const Ordered = event('Ordered', z.object({}))
const Cancelled = event('Cancelled', z.object({}))
const amount = z.object({ amount: z.int() })

const Account = aggregate('account', () => ({ balance: 0, order: 'none' as 'none' | 'open' | 'cancelled' }))
  .on(Deposited, (state, { amount }) => ({ ...state, balance: state.balance + amount }))
  .on(Withdrawn, (state, { amount }) => ({ ...state, balance: state.balance - amount }))
  .on(Ordered, (state) => ({ ...state, order: 'open' }))
  .on(Cancelled, (state) => ({ ...state, order: 'cancelled' }))
  .command('deposit', amount, (_, { amount }) => Deposited({ amount }))
  .command('withdraw', amount, ({ balance }, { amount }) =>
    amount > balance ? reject('InsufficientFunds', { balance }) : Withdrawn({ amount }),
  )
  .command('order', z.object({}), () => Ordered())
  .command('cancel', z.object({}), ({ order }) => (order === 'open' ? Cancelled() : undefined))
  .command('audit', z.object({}), ({ balance }): undefined => {
    if (balance < 0) throw new RangeError(`the balance is ${balance}`)
  })
  .command('expect', amount, ({ balance }, { amount }): undefined => {
    if (balance !== amount) throw new RangeError(`the balance is ${balance}, not ${amount}`)
  })

const Bank = domain({ aggregates: { account: Account } })

const trueAnswers = { title: 'Every answer is true', quickOn: ['memory', 'sqlite', 'postgres'] } as const
await onEveryStore(trueAnswers, ({ place, severalWriters }) => {
  if (!severalWriters) return
  const start = (options: StartOptions) => Bank.start({ projections: 'manual', log: recorder(), ...options })

  test('a rejection is decided on the events of another process', async (t) => {
    const store = await place(t)
    await using a = await start({ store })
    await using b = await start({ store })
    await a.account('ada').deposit({ amount: 10 })
    for (let round = 0; round < 20; round++) {
      await b.account('ada').deposit({ amount: 100 })
      assert.equal((await a.account('ada').withdraw({ amount: 100 })).state.balance, 10)
      const refused = await b.account('ada').try.withdraw({ amount: 50 })
      assert.deepEqual(refused.accepted || refused.rejection.details, { balance: 10 })
    }
  })

  test('"nothing to do" is decided on the events of another process', async (t) => {
    const store = await place(t)
    await using a = await start({ store })
    await using b = await start({ store })
    assert.deepEqual((await a.account('ada').cancel()).events, [])
    await b.account('ada').order()
    assert.equal((await a.account('ada').cancel()).state.order, 'cancelled')
    await b.account('ada').order()
    const cancelled = await a.account('ada').cancel({}, { commandId: 'cancel' })
    assert.equal(cancelled.state.order, 'cancelled')
    assert.deepEqual(await b.account('ada').cancel({}, { commandId: 'cancel' }), cancelled)
  })

  test('an error of decide comes from the events of another process', async (t) => {
    const store = await place(t)
    await using a = await start({ store })
    await using b = await start({ store })
    await a.account('ada').expect({ amount: 0 })
    await b.account('ada').deposit({ amount: 5 })
    await assert.rejects(a.account('ada').expect({ amount: 0 }), { code: 'DECIDE_FAILED' })
    await a.account('ada').expect({ amount: 5 })
  })

  test('a sequence that a command expects is compared with the events of another process', async (t) => {
    const store = await place(t)
    await using a = await start({ store })
    await using b = await start({ store })
    const refusedAt = (sequence: number) => (error: unknown) => {
      assert.ok(hasCode(error, 'SEQUENCE_UNEXPECTED'), String(error))
      assert.equal(error.facts.sequence, sequence)
      return true
    }
    await a.account('ada').deposit({ amount: 1 }, { expectedSequence: 0 })
    for (let sequence = 1; sequence < 20; sequence += 2) {
      const { account } = sequence % 4 === 1 ? a : b
      const other = account === a.account ? b.account : a.account
      await other('ada').deposit({ amount: 1 }, { expectedSequence: sequence })
      const late = account('ada').deposit({ amount: 1 }, { expectedSequence: sequence })
      await assert.rejects(late, refusedAt(sequence + 1))
      const read = await other('ada').read()
      assert.deepEqual([read.state.balance, read.sequence, read.position], [sequence + 1, sequence + 1, sequence + 1])
      await other('ada').deposit({ amount: 1 }, { expectedSequence: read.sequence })
      const repeated = { commandId: `c-${sequence}`, expectedSequence: sequence + 2 }
      await assert.rejects(account('ada').audit({}, { expectedSequence: sequence }), refusedAt(sequence + 2))
      const answer = await account('ada').audit({}, repeated)
      assert.equal(answer.sequence, sequence + 2)
    }
  })

  test('the state is the stored one, and updates the live instance', async (t) => {
    const store = await place(t)
    await using a = await start({ store })
    await using b = await start({ store })
    await a.account('ada').deposit({ amount: 1 })
    await b.account('ada').deposit({ amount: 2 })
    assert.equal((await a.account('ada').state()).balance, 3)
    assert.equal((await a.account('ada').withdraw({ amount: 3 })).state.balance, 0)
    assert.equal((await b.account('ada').state()).balance, 0)
  })

  test('answers of commands that are sent together match some order of them', async (t) => {
    const store = await place(t)
    await using a = await start({ store })
    await using b = await start({ store })
    await a.account('ada').deposit({ amount: 10 })
    await b.account('ada').withdraw({ amount: 10 })
    // The first three are first decided on 10, which is no longer true: no answer may rest on it.
    const { account } = a
    const sent = [
      account('ada').try.withdraw({ amount: 11 }),
      account('ada').try.withdraw({ amount: 10 }),
      account('ada').try.withdraw({ amount: 1 }),
      account('ada').try.deposit({ amount: 4 }),
      account('ada').try.withdraw({ amount: 5 }),
      account('ada').try.withdraw({ amount: 4 }),
    ]
    const answers = (await Promise.all(sent)).map((outcome) =>
      outcome.accepted ? outcome.state.balance : outcome.rejection.details,
    )
    assert.deepEqual(answers, [{ balance: 0 }, { balance: 0 }, { balance: 0 }, 4, { balance: 4 }, 0])
  })

  test('only an option allows stale answers', async (t) => {
    const store = await place(t)
    await using a = await start({ store, mayAnswerFromStaleState: true })
    await using b = await start({ store })
    await a.account('ada').deposit({ amount: 1 })
    await b.account('ada').deposit({ amount: 100 })
    assert.equal((await a.account('ada').try.withdraw({ amount: 50 })).accepted, false)
    assert.equal((await a.account('ada').state()).balance, 101)
    assert.equal((await a.account('ada').try.withdraw({ amount: 50 })).accepted, true)
  })
})

test('a state has every event that can be read, also one whose append the only writer has no answer to', async () => {
  let answers = Promise.resolve()
  const inner = await memory().open({ warn: () => {}, now: Date.now })
  const store: StoreFactory = {
    name: 'held',
    open: async () =>
      new Proxy(inner, {
        get(_, name) {
          if (name === 'singleWriter') return true
          if (name === 'append') return (...args: Parameters<Store['append']>) => appendHeld(...args)
          const value = Reflect.get(inner, name)
          return typeof value === 'function' ? value.bind(inner) : value
        },
      }),
  }
  const appendHeld: Store['append'] = async (...args) => {
    const results = await inner.append(...args)
    await answers
    return results
  }
  await using bank = await Bank.start({ store, projections: 'manual', log: recorder() })
  await bank.account('ada').deposit({ amount: 10 })
  const held = Promise.withResolvers<void>()
  answers = held.promise
  const depositing = bank.account('ada').deposit({ amount: 5 })
  await until('it can be read', async () => (await inner.head()) === 2)
  assert.equal((await bank.account('ada').state()).balance, 15)
  held.resolve()
  await depositing
  assert.equal((await bank.account('ada').state()).balance, 15)
})
