/** The reference system’s behaviours of its router, and of the bank account of its example. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Account } from '../../examples/bank/account.ts'
import { domain } from '../../src/index.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { codesOf, logOf, recorder, startVaults, watched } from '../support/kernel/rig.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

await onEveryStore('Dispatch', ({ place }) => {
  test('three commands to one id reach one actor', async (t) => {
    const watch = watched(await place(t))
    await using vaults = await startVaults({ store: watch.store })
    const dispatch = (amount: number) => vaults.dispatch({ aggregate: 'vault', id: 'a', name: 'add', data: { amount } })
    const outcomes = [await dispatch(1), await dispatch(2), await dispatch(3)]
    assert.deepEqual(outcomes.at(-1)!.state.amounts, [1, 2, 3])
    assert.equal(watch.count('readStream'), 1)
    assert.equal(vaults.load().liveAggregates, 1)
  })

  test('after passivation the next command rehydrates', async (t) => {
    const watch = watched(await place(t))
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment, passivateAfterMs: 10 })
    await vaults.vault('a').add({ amount: 1 })
    await environment.advance(10)
    assert.deepEqual((await vaults.vault('a').add({ amount: 2 })).state.amounts, [1, 2])
    assert.equal(watch.count('readStream'), 2)
  })

  test('a malformed command is refused', async (t) => {
    await using vaults = await startVaults({ store: await place(t) })
    const codes = await codesOf([vaults.dispatch({ deposit: 100 } as never), vaults.dispatch('deposit' as never)])
    assert.deepEqual(codes, ['COMMAND_MALFORMED', 'COMMAND_MALFORMED'])
  })

  test('an actor that dies in a command affects that command at most, and the router stays up', async (t) => {
    const watch = watched(await place(t))
    await using vaults = await startVaults({ store: watch.store, limits: { appendTriesMax: 1 }, log: recorder() })
    await vaults.vault('a').add({ amount: 1 })
    watch.disturb(({ method }) => (['append', 'findCommit', 'readStream'].includes(method) ? 'before' : undefined))
    assert.deepEqual(await codesOf([vaults.vault('a').add({ amount: 2 })]), ['OUTCOME_UNKNOWN'])
    watch.disturb(() => undefined)
    assert.deepEqual((await vaults.vault('a').add({ amount: 3 })).state.amounts, [1, 3])
    assert.equal((await vaults.vault('b').add({ amount: 1 })).sequence, 1)
  })
})

await onEveryStore('Bank account', ({ place }) => {
  const Bank = domain({ aggregates: { account: Account } })

  test('takes a deposit of 100, pays out 50 of it, and refuses 200 for want of funds', async (t) => {
    const store = await place(t)
    const bank = await Bank.start({ store })
    const account = bank.account('ada')
    await account.open({ owner: 'Ada' })
    assert.equal((await account.deposit({ amount: 100 })).state.balance, 100)
    const refused = await account.try.withdraw({ amount: 200 })
    assert.ok(!refused.accepted && refused.rejection.code === 'InsufficientFunds')
    assert.deepEqual(refused.rejection.details, { balance: 100, requested: 200 })
    assert.equal((await account.withdraw({ amount: 50 })).state.balance, 50)
    await bank.stop()
    assert.deepEqual(
      (await logOf(store)).map(({ type }) => type),
      ['AccountOpened', 'MoneyDeposited', 'MoneyWithdrawn'],
    )
  })

  test('refuses amounts of 0 and -10, and commands it does not know', async (t) => {
    const store = await place(t)
    const bank = await Bank.start({ store })
    const account = bank.account('ada')
    await account.open({ owner: 'Ada' })
    const codes = await codesOf([
      ...[0, -10].flatMap((amount) => [account.deposit({ amount }), account.withdraw({ amount })]),
      bank.dispatch({ aggregate: 'account', id: 'ada', name: 'close' } as never),
    ])
    assert.deepEqual(codes, [...Array(4).fill('COMMAND_INVALID'), 'COMMAND_UNKNOWN'])
    await bank.stop()
    assert.equal((await logOf(store)).length, 1)
  })
})
