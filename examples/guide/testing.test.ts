/** The code of docs/guide/testing.md, run as tests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { domain, memory, reaction } from '../../src/index.ts'
import { faultyStore, manualEnvironment, on, spec, storeConformance } from '../../src/testing/index.ts'
import { Account, Opened } from '../bank/account.ts'
import { Bank } from '../bank/bank.ts'

// #region conformance
storeConformance('my store', async () => ({ factory: memory() }), { transactions: false })
// #endregion

test('time can be moved, and a store can fail on demand', async () => {
  // #region tools
  const environment = manualEnvironment({ now: '2026-01-01T00:00:00Z' })
  let broken = false
  const store = faultyStore(memory(), ({ method }) => (broken && method === 'append' ? 'before' : undefined))
  await using bank = await Bank.start({ store, environment, passivateAfterMs: 1000 })

  await bank.account('ada').open({ owner: 'Ada' })
  await environment.advance(1000)
  assert.equal(bank.load().liveAggregates, 0)

  broken = true
  const deposit = bank.account('ada').deposit({ amount: 1 }, { commandId: 'c-1' })
  const failed = assert.rejects(deposit, { code: 'OUTCOME_UNKNOWN' })
  await environment.advance(60_000)
  await failed
  broken = false
  await bank.account('ada').deposit({ amount: 1 }, { commandId: 'c-1' })
  // #endregion
  assert.equal((await bank.account('ada').state()).balance, 1)
})

test('a deposit is made once, whichever call to the store loses its answer', async () => {
  // #region nth
  for (let nth = 1, hasFailed = true; hasFailed; nth++) {
    hasFailed = false
    const store = faultyStore(memory(), ({ method, total }) => {
      if (total !== nth || method === 'open') return undefined
      hasFailed = true
      return 'after'
    })
    await using bank = await Bank.start({ store, projections: 'manual' })
    const once = { commandId: 'open' }
    const opening = await bank
      .account('ada')
      .open({ owner: 'Ada' }, once)
      .catch(() => undefined)
    if (opening === undefined) await bank.account('ada').open({ owner: 'Ada' }, once)
    assert.equal((await Array.fromAsync(bank.account('ada').history())).length, 1)
  }
  // #endregion
})

// #region gift
const dayMs = 24 * 60 * 60 * 1000
const aggregates = { account: Account }
const Gift = reaction('gift after a day', aggregates).on(Opened, ({ stream }, { schedule }) => {
  schedule({ aggregate: 'account', id: stream.id, name: 'deposit', data: { amount: 10 } }, { afterMs: dayMs })
})
// #endregion

test('a scheduled command can be tested by itself', async () => {
  // #region scheduled
  const gift = { aggregate: 'account', id: 'ada', name: 'deposit', data: { amount: 10 } } as const
  const opened = on('ada', Opened({ owner: 'Ada' }))

  await spec(Gift)
    .when(opened)
    .dispatchesNothing()
    .schedules([gift, { afterMs: dayMs }])
  await spec(Gift).given(opened).advance(dayMs).dispatches(gift)
  // #endregion
})

test('a reaction can be tested with a clock', async () => {
  // #region clock
  const environment = manualEnvironment({ now: '2026-01-01T00:00:00Z' })
  const Gifts = domain({ aggregates, reactions: { gift: Gift } })
  await using bank = await Gifts.start({ environment, projections: 'manual' })
  await bank.account('ada').open({ owner: 'Ada' })

  await bank.reactions.runOnce('gift') // handles the event, and schedules the command
  assert.equal((await bank.account('ada').state()).balance, 0)

  await environment.advance(dayMs)
  await bank.reactions.runOnce('gift') // sends the command, which is due now
  assert.equal((await bank.account('ada').state()).balance, 10)
  // #endregion
})
