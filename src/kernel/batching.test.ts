/**
 * How commands become batches: one load, one append for each round, one batch for all actors, and no wait for a single
 * command.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { codesOf, logOf, settled, stands, startVaults, watched } from '../../test/support/kernel/rig.ts'
import { CommandRejected } from '../index.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'

/** A clock that goes on by so much each time that somebody looks at it. */
function lookedAt() {
  const clock = { now: 0, goesOnBy: 0 }
  const elapsed = () => {
    clock.now += clock.goesOnBy
    return clock.now
  }
  return { clock, environment: { ...manualEnvironment(), elapsed } }
}

describe('Batches', () => {
  test('a thousand commands for a cold aggregate cause one load and one append of a thousand commits', async () => {
    const watch = watched()
    await using first = await startVaults({ store: watch.store })
    await first.vault('a').add({ amount: 7 })
    await first.stop()
    watch.forget()
    // The clock stands still, so no round takes too long.
    await using vaults = await startVaults({ store: watch.store, environment: manualEnvironment() })
    const all = Array.from({ length: 1000 }, (_, i) => vaults.vault('a').add({ amount: i }))
    const outcomes = await Promise.all(all)
    assert.equal(watch.count('readStream'), 1)
    assert.deepEqual(
      watch.batches().map((batch) => batch.length),
      [1000],
    )
    assert.deepEqual(
      outcomes.map(({ sequence }) => sequence),
      Array.from({ length: 1000 }, (_, i) => i + 2),
    )
    assert.deepEqual(outcomes[999]!.state.amounts, [7, ...Array.from({ length: 1000 }, (_, i) => i)])
    assert.deepEqual(outcomes[9]!.state.amounts.length, 11)
  })

  test('commands that come while a batch is in flight become the next batch', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store, environment: manualEnvironment() })
    await vaults.vault('a').look()
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method, number }) => (method === 'append' && number === 1 ? gate.promise : undefined))
    const first = vaults.vault('a').add({ amount: 1 })
    await settled()
    const others = Array.from({ length: 50 }, (_, i) => vaults.vault('a').add({ amount: i }))
    assert.equal(await stands(first), 'pending')
    gate.resolve()
    await Promise.all([first, ...others])
    assert.deepEqual(
      watch.batches().map((batch) => batch.length),
      [1, 50],
    )
  })

  test('commits of all aggregates go to the store as one batch', async () => {
    const watch = watched()
    // The clock stands still, so no turn takes too long.
    await using vaults = await startVaults({ store: watch.store, environment: manualEnvironment() })
    const ids = Array.from({ length: 20 }, (_, i) => `v${i}`)
    await Promise.all(ids.map((id) => vaults.vault(id).look()))
    await Promise.all(ids.flatMap((id) => [vaults.vault(id).add({ amount: 1 }), vaults.vault(id).add({ amount: 2 })]))
    assert.deepEqual(
      watch.batches().map((batch) => batch.length),
      [40],
    )
  })

  test('commits of all aggregates go as one batch, however long ago the event loop has run before', async () => {
    const watch = watched()
    const { clock, environment } = lookedAt()
    await using vaults = await startVaults({ store: watch.store, environment })
    const ids = Array.from({ length: 20 }, (_, i) => `v${i}`)
    await Promise.all(ids.map((id) => vaults.vault(id).look()))
    // The event loop should run after 8 ms. That is so in the middle of the pass, but the pass has only begun.
    clock.goesOnBy = 3
    await Promise.all(ids.map((id) => vaults.vault(id).add({ amount: 1 })))
    assert.deepEqual(
      watch.batches().map((batch) => batch.length),
      [20],
    )
  })

  test('a pass that lets the event loop run in its middle still stores its commits as one batch', async () => {
    const watch = watched()
    const { clock, environment } = lookedAt()
    let pauses = 0
    const defer = (callback: () => void) => {
      pauses++
      environment.defer(callback)
    }
    await using vaults = await startVaults({ store: watch.store, environment: { ...environment, defer } })
    const ids = Array.from({ length: 40 }, (_, i) => `v${i}`)
    await Promise.all(ids.map((id) => vaults.vault(id).look()))
    pauses = 0
    // So much time between two looks at the clock that each part of the pass takes too long.
    clock.goesOnBy = 10
    await Promise.all(ids.map((id) => vaults.vault(id).add({ amount: 1 })))
    clock.goesOnBy = 0
    assert.ok(pauses >= 4, `the event loop could run ${pauses} times`)
    assert.deepEqual(
      watch.batches().map((batch) => batch.length),
      [40],
    )
  })

  test('a command that comes while a pass pauses is not part of its batch, and is stored next', async () => {
    const watch = watched()
    const { clock, environment } = lookedAt()
    const late: Promise<unknown>[] = []
    const defer = (callback: () => void) => {
      if (clock.goesOnBy > 0) late.push(vaults.vault(`late${late.length}`).add({ amount: 1 }))
      if (late.length === 10) clock.goesOnBy = 0
      environment.defer(callback)
    }
    await using vaults = await startVaults({ store: watch.store, environment: { ...environment, defer } })
    const ids = Array.from({ length: 40 }, (_, i) => `v${i}`)
    await Promise.all(ids.map((id) => vaults.vault(id).look()))
    clock.goesOnBy = 10
    await Promise.all(ids.map((id) => vaults.vault(id).add({ amount: 1 })))
    clock.goesOnBy = 0
    await Promise.all(late)
    assert.equal(watch.batches()[0]!.length, 40)
    assert.equal(
      watch.batches().reduce((sum, { length }) => sum + length, 0),
      40 + late.length,
    )
  })

  test('an aggregate whose load hangs delays no other', async () => {
    const watch = watched()
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method, args }) =>
      method === 'readStream' && (args[0] as { id: string }).id === 'slow' ? gate.promise : undefined,
    )
    await using vaults = await startVaults({ store: watch.store })
    const slow = vaults.vault('slow').add({ amount: 1 })
    await vaults.vault('quick').add({ amount: 1 })
    assert.equal(await stands(slow), 'pending')
    gate.resolve()
    await slow
  })

  test('a single command is appended at once, without waiting for others', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    for (let i = 1; i <= 5; i++) {
      await vaults.vault('a').add({ amount: i })
      assert.equal(watch.count('append'), i)
    }
  })

  test('no command is answered before the batch is durable', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'append' ? gate.promise : undefined))
    const added = vaults.vault('a').add({ amount: 1 })
    const rejected = vaults.vault('a').try.take({ amount: 100 })
    const looked = vaults.vault('a').look()
    for (const each of [added, rejected, looked]) assert.equal(await stands(each), 'pending')
    gate.resolve()
    await added
    assert.deepEqual((await rejected).accepted, false)
    assert.deepEqual((await looked).state.balance, 1)
  })

  test('a batch has limits for commits and size, and nothing is lost at these limits', async () => {
    const watch = watched()
    const limits = { batchCommitsMax: 7, batchSizeMax: 2_000 }
    await using vaults = await startVaults({ store: watch.store, limits })
    const all = Array.from({ length: 100 }, (_, i) =>
      vaults.vault(`v${i % 9}`).add({ amount: i, note: 'x'.repeat(200) }),
    )
    await Promise.all(all)
    for (const batch of watch.batches()) assert.ok(batch.length <= 7, `a batch had ${batch.length} commits`)
    assert.equal((await logOf(watch.store)).length, 100)
  })

  test('commands are decided in the order in which they were sent', async () => {
    await using vaults = await startVaults({ limits: { batchCommitsMax: 3 } })
    const vault = vaults.vault('a')
    const amounts = Array.from({ length: 40 }, (_, i) => i + 1)
    await Promise.all(amounts.map((amount) => vault.add({ amount })))
    assert.deepEqual((await vault.state()).amounts, amounts)
  })
})

describe('A decision that goes wrong', () => {
  const wrongs = {
    fail: 'DECIDE_FAILED',
    scribbleInDecide: 'DECIDE_FAILED',
    spoil: 'EVOLVE_FAILED',
    scribble: 'EVOLVE_FAILED',
    foreign: 'EVENT_UNDECLARED',
    promise: 'VERDICT_INVALID',
    nonsense: 'VERDICT_INVALID',
    misshapen: 'EVENT_INVALID',
    unstorable: 'DATA_NOT_JSON',
  } as const

  for (const [command, code] of Object.entries(wrongs)) {
    test(`${command} gets ${code}, stores nothing and does not affect other commands of its batch`, async () => {
      const watch = watched()
      await using vaults = await startVaults({ store: watch.store })
      const vault = vaults.vault('a')
      await vault.add({ amount: 1 })
      const send = (name: string) => vaults.dispatch({ aggregate: 'vault', id: 'a', name } as never)
      const codes = await codesOf([
        vault.add({ amount: 2 }),
        send(command),
        vault.add({ amount: 3 }),
        send(command),
        vault.take({ amount: 6 }),
      ])
      assert.deepEqual(codes, ['ok', code, 'ok', code, 'ok'])
      assert.equal(watch.count('append'), 2)
      assert.deepEqual(await vault.state(), { balance: 0, amounts: [1, 2, 3, -6] })
      assert.equal((await logOf(watch.store)).length, 4)
    })
  }

  test('a commit that is too large gets COMMIT_TOO_LARGE and does not affect other commands of its batch', async () => {
    await using vaults = await startVaults()
    const vault = vaults.vault('a')
    const codes = await codesOf([
      vault.add({ amount: 1 }),
      vault.huge({ count: 9_000_000 }),
      vault.burst({ count: 10_001 }),
      vault.add({ amount: 2 }),
    ])
    assert.deepEqual(codes, ['ok', 'COMMIT_TOO_LARGE', 'COMMIT_TOO_LARGE', 'ok'])
    assert.deepEqual((await vault.state()).amounts, [1, 2])
  })

  test('callers cannot change the states that they get', async () => {
    await using vaults = await startVaults()
    const { state } = await vaults.vault('a').add({ amount: 1 })
    assert.throws(() => (state.amounts as number[]).push(2), TypeError)
    assert.throws(() => Object.assign(state, { balance: 2 }), TypeError)
  })
})

describe('A rejection', () => {
  test('that was decided on events which are not durable yet is answered after them', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    const vault = vaults.vault('a')
    await vault.add({ amount: 10 })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'append' ? gate.promise : undefined))
    const early = vault.try.take({ amount: 99 })
    const taken = vault.take({ amount: 10 })
    const late = vault.try.take({ amount: 1 })
    assert.equal(await stands(late), 'pending')
    gate.resolve()
    await taken
    assert.equal((await early).accepted, false)
    const outcome = await late
    assert.ok(!outcome.accepted)
    assert.deepEqual({ ...outcome.rejection }, { code: 'TooLittle', details: { balance: 0 } })
  })

  test('is thrown with the line that sent the command in its stack', async () => {
    await using vaults = await startVaults()
    async function callerByHandle() {
      await vaults.vault('a').take({ amount: 1 })
    }
    async function callerByDispatch() {
      await vaults.dispatch({ aggregate: 'vault', id: 'a', name: 'take', data: { amount: 1 } })
    }
    for (const caller of [callerByHandle, callerByDispatch]) {
      await assert.rejects(caller(), (error) => {
        assert.ok(error instanceof CommandRejected)
        assert.equal(error.code, 'TooLittle')
        assert.match(error.stack!, new RegExp(`${caller.name}.*batching\\.test\\.ts`))
        return true
      })
    }
  })
})
