/** Exactly once: a command with an id has one effect and one answer, however often and wherever it is sent. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { codesOf, logOf, settled, stands, startVaults, watched } from '../../test/support/kernel/rig.ts'
import { commit, memory } from '../index.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'

const commandId = 'transfer 42'

describe('The same command id', () => {
  test('sent many times at the same time has one effect and one answer', async () => {
    const store = memory()
    await using vaults = await startVaults({ store })
    const send = () => vaults.vault('a').add({ amount: 5 }, { commandId })
    const [first, ...others] = await Promise.all(Array.from({ length: 20 }, send))
    for (const other of others) assert.deepEqual(other, first)
    assert.equal((await logOf(store)).length, 1)
  })

  test('sent again much later gets the first answer, with the state of that time', async () => {
    await using vaults = await startVaults()
    const vault = vaults.vault('a')
    const first = await vault.burst({ count: 3 }, { commandId })
    await vault.add({ amount: 100 })
    assert.deepEqual(await vault.burst({ count: 3 }, { commandId }), first)
    assert.equal(first.events.length, 3)
    assert.deepEqual((await vault.state()).amounts, [1, 1, 1, 100])
  })

  test('after a restart has no second effect', async () => {
    const store = memory()
    const before = await startVaults({ store })
    const first = await before.vault('a').add({ amount: 5 }, { commandId })
    await before.stop()
    await using after = await startVaults({ store })
    assert.deepEqual(await after.vault('a').add({ amount: 5 }, { commandId }), first)
    assert.equal((await logOf(store)).length, 1)
  })

  test('after passivation has no second effect', async () => {
    const environment = manualEnvironment()
    await using vaults = await startVaults({ environment, passivateAfterMs: 100 })
    const first = await vaults.vault('a').add({ amount: 5 }, { commandId })
    await environment.advance(100)
    assert.equal(vaults.load().liveAggregates, 0)
    assert.deepEqual(await vaults.vault('a').add({ amount: 5 }, { commandId }), first)
  })

  test('gets the first answer even if it would be rejected now', async () => {
    await using vaults = await startVaults()
    const vault = vaults.vault('a')
    const opened = await vault.openOnce({}, { commandId: 'open' })
    assert.deepEqual(await vault.openOnce({}, { commandId: 'open' }), opened)
    assert.deepEqual(await vault.openOnce({}, { commandId: 'open' }), opened)
    assert.deepEqual(await codesOf([vault.openOnce({}, { commandId: 'another' })]), ['Open'])
  })

  test('that was told no by one process is not stored by another, which decided it behind a command that is not stored yet', async () => {
    const store = memory()
    const watch = watched(store)
    await using slow = await startVaults({ store: watch.store })
    await using other = await startVaults({ store })
    const { promise: arrival, resolve: arrive } = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'append' ? arrival : undefined))
    const caller = new AbortController()
    const { signal } = caller
    const added = slow.vault('a').add({ amount: 10 })
    const given = codesOf([slow.vault('a').take({ amount: 10 }, { commandId, signal })])
    await settled()
    // The caller of the slow process asks another one, as after a broken connection.
    caller.abort()
    await given
    assert.deepEqual(await codesOf([other.vault('a').take({ amount: 10 }, { commandId })]), ['TooLittle'])
    arrive()
    await added
    assert.deepEqual(
      (await logOf(store)).map(({ type }) => type),
      ['Added'],
    )
  })

  test('of another command, or with other data, is refused, whatever the other would have decided', async () => {
    const store = memory()
    const before = await startVaults({ store })
    await before.vault('a').add({ amount: 100 }, { commandId })
    const attempts = (vault: ReturnType<typeof before.vault>) => [
      vault.take({ amount: 70 }, { commandId }),
      vault.add({ amount: 101 }, { commandId }),
      vault.take({ amount: 1000 }, { commandId }),
      vault.look({}, { commandId }),
      vault.fail({}, { commandId }),
    ]
    const refused = Array.from({ length: 5 }, () => 'COMMAND_ID_REUSED')
    assert.deepEqual(await codesOf(attempts(before.vault('a'))), refused)
    await before.stop()
    await using after = await startVaults({ store })
    assert.deepEqual(await codesOf(attempts(after.vault('a'))), refused)
    assert.deepEqual(await codesOf([after.vault('a').add({ amount: 100 }, { commandId })]), ['ok'])
    assert.equal((await logOf(store)).length, 1)
  })

  test('may be used once for each aggregate', async () => {
    await using vaults = await startVaults()
    const all = ['a', 'b'].map((id, i) => vaults.vault(id).add({ amount: i }, { commandId }))
    assert.deepEqual(await codesOf(all), ['ok', 'ok'])
  })

  test('that was rejected may be accepted later', async () => {
    await using vaults = await startVaults()
    const vault = vaults.vault('a')
    assert.deepEqual(await codesOf([vault.take({ amount: 5 }, { commandId })]), ['TooLittle'])
    await vault.add({ amount: 5 })
    await vault.take({ amount: 5 }, { commandId })
    await vault.take({ amount: 5 }, { commandId })
    assert.deepEqual((await vault.state()).amounts, [5, -5])
  })

  test('in a batch with other commands has no effect, and the others have theirs', async () => {
    const store = memory()
    await using vaults = await startVaults({ store })
    const vault = vaults.vault('a')
    const first = await vault.add({ amount: 1 }, { commandId })
    const outcomes = await Promise.all([
      vault.add({ amount: 2 }),
      vault.add({ amount: 1 }, { commandId }),
      vault.add({ amount: 3 }),
      vault.try.take({ amount: 7 }),
      vault.add({ amount: 1 }, { commandId }),
      vault.add({ amount: 4 }, { commandId: 'other' }),
    ])
    assert.deepEqual(outcomes[1], first)
    assert.deepEqual(outcomes[4], first)
    const { state } = await vault.look()
    assert.deepEqual(state.amounts.toSorted(), [1, 2, 3, 4, ...(outcomes[3]!.accepted ? [-7] : [])].toSorted())
    assert.equal((await logOf(store)).length, state.amounts.length)
  })

  test('on two aggregates is two commands', async () => {
    await using vaults = await startVaults()
    await vaults.vault('a').add({ amount: 1 }, { commandId })
    await vaults.vault('b').add({ amount: 2 }, { commandId })
    assert.deepEqual((await vaults.vault('b').state()).amounts, [2])
  })

  test('sent to two kernels at the same time has one effect and one answer', async () => {
    const store = memory()
    await using left = await startVaults({ store })
    await using right = await startVaults({ store })
    for (let i = 0; i < 20; i++) {
      const id = `v${i % 3}`
      const send = (vaults: typeof left) => vaults.vault(id).add({ amount: i }, { commandId: `c${i}` })
      const [one, two] = await Promise.all([send(left), send(right)])
      assert.deepEqual(one, two)
    }
    assert.equal((await logOf(store)).length, 20)
  })

  test('that another kernel has stored is not rejected by a kernel that has not seen it yet', async () => {
    const store = memory()
    await using left = await startVaults({ store })
    await using right = await startVaults({ store })
    await right.vault('a').look()
    await left.vault('a').add({ amount: 5 })
    const first = await left.vault('a').take({ amount: 5 }, { commandId })
    assert.deepEqual(await right.vault('a').take({ amount: 5 }, { commandId }), first)
  })

  test('gets the stored answer when it is sent again after its answer was lost', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment, limits: { appendTriesMax: 1 } })
    watch.disturb(({ method }) => (method === 'append' ? 'after' : method === 'findCommit' ? 'before' : undefined))
    const send = () => vaults.vault('a').add({ amount: 5 }, { commandId })
    assert.deepEqual(await codesOf([send()]), ['OUTCOME_UNKNOWN'])
    watch.disturb(() => undefined)
    const again = await send()
    assert.equal(again.sequence, 1)
    assert.deepEqual(again.state.amounts, [5])
    assert.equal((await logOf(watch.store)).length, 1)
  })

  test('is looked for in the store only if it may be there: a command without an id costs no look-up', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    const vault = vaults.vault('a')
    await vault.add({ amount: 1 })
    await vault.try.take({ amount: 2 })
    await vault.look()
    assert.equal(watch.count('findCommit'), 0)
  })

  test('of a direct append counts for commands too', async () => {
    const store = memory()
    const opened = await store.open({ now: () => 0, warn: () => {} })
    const stream = { aggregate: 'vault', id: 'a' }
    const events = [{ type: 'Added', data: { amount: 9 } }]
    await opened.append([commit({ stream, expected: 'none', id: commandId, recordedAt: 0, events })])
    await using vaults = await startVaults({ store })
    const outcome = await vaults.vault('a').add({ amount: 5 }, { commandId })
    assert.deepEqual(outcome.state.amounts, [9])
  })

  test('waits for the first one in flight and gets the same answer', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method, number }) => (method === 'append' && number === 1 ? gate.promise : undefined))
    const first = vaults.vault('a').add({ amount: 5 }, { commandId })
    assert.equal(await stands(first), 'pending')
    const second = vaults.vault('a').add({ amount: 5 }, { commandId })
    assert.equal(await stands(second), 'pending')
    gate.resolve()
    assert.deepEqual(await second, await first)
  })
})

describe('Repetitions of stored commands', () => {
  const start = async (amounts: number) => {
    const watch = watched()
    const vaults = await startVaults({ store: watch.store })
    const vault = vaults.vault('a')
    const sendAll = (count: number, ids: number) =>
      Promise.all(Array.from({ length: count }, (_, i) => vault.add({ amount: i % ids }, { commandId: `c${i % ids}` })))
    return { watch, vaults, vault, sendAll, fill: () => vault.burst({ count: amounts }) }
  }

  test('at the same time read the stream once in total, however many there are', async () => {
    const { watch, vaults, vault, sendAll, fill } = await start(2500)
    await fill()
    const first = await vault.add({ amount: 0 }, { commandId: 'c0' })
    await vault.add({ amount: 1 })
    watch.forget()
    for (const again of await sendAll(500, 1)) assert.deepEqual(again, first)
    // Three pages of the stream, and a read of new events after each round.
    assert.ok(watch.count('readStream') <= 3 + 3, `${watch.count('readStream')} readings`)
    assert.ok(watch.count('append') <= 3, `${watch.count('append')} appends`)
    await vaults.stop()
  })

  test('of the newest command read only its own events', async () => {
    const { watch, vaults, vault, sendAll, fill } = await start(2500)
    await fill()
    const first = await vault.add({ amount: 0 }, { commandId: 'c0' })
    watch.forget()
    for (const again of await sendAll(500, 1)) assert.deepEqual(again, first)
    const ranges = watch.calls.filter(({ method }) => method === 'readStream').map(({ args }) => args[1])
    assert.ok(ranges.every((range) => (range as { readonly from: number }).from >= first.sequence))
    await vaults.stop()
  })

  test('of different commands read the stream once in total, and each gets its own answer', async () => {
    const { watch, vaults, vault, sendAll, fill } = await start(2500)
    await fill()
    const first = await sendAll(50, 50)
    await vault.add({ amount: 1 })
    await vault.look()
    watch.forget()
    assert.deepEqual(await sendAll(50, 50), first)
    assert.ok(watch.count('readStream') <= 20, `${watch.count('readStream')} readings`)
    await vaults.stop()
  })

  test('do not share objects that a caller may change', async () => {
    const { vaults, vault, sendAll } = await start(0)
    await vault.add({ amount: 0 }, { commandId: 'c0' })
    const [one, other] = await sendAll(2, 1)
    assert.notEqual(one!.events, other!.events)
    assert.notEqual(one!.events[0]!.recordedAt, other!.events[0]!.recordedAt)
    await vaults.stop()
  })
})

describe('The id of a command without a chosen id', () => {
  const idsOf = async (vaults: Awaited<ReturnType<typeof startVaults>>, count: number) => {
    const outcomes = await Promise.all(Array.from({ length: count }, () => vaults.vault('a').add({ amount: 1 })))
    return outcomes.map(({ events }) => events[0]!.commitId)
  }

  test('cannot be guessed from earlier ids', async () => {
    await using vaults = await startVaults()
    const ids = await idsOf(vaults, 200)
    assert.equal(new Set(ids.map((id) => id.slice(0, 12))).size, ids.length, 'no two ids have a common beginning')
  })

  test('cannot be chosen by a caller', async () => {
    await using vaults = await startVaults()
    const [id] = await idsOf(vaults, 1)
    for (const commandId of ['~', '~1', `${id}0`, id!.slice(0, -1), '~reaction:1:add']) {
      await assert.rejects(vaults.vault('a').add({ amount: 1 }, { commandId }), { code: 'ID_INVALID' })
    }
  })

  test('can be used by a caller only to repeat that command, also in another process', async () => {
    const store = memory()
    await using left = await startVaults({ store })
    await using right = await startVaults({ store })
    const first = await left.vault('a').add({ amount: 5 })
    const commandId = first.events[0]!.commitId
    assert.deepEqual(await right.vault('a').add({ amount: 5 }, { commandId }), first)
    assert.deepEqual(await codesOf([right.vault('a').add({ amount: 6 }, { commandId })]), ['COMMAND_ID_REUSED'])
    assert.equal((await logOf(store)).length, 1)
  })

  test('is stored once even if two kernels make the same ids', async () => {
    const store = memory()
    const environment = { newCommandId: () => `~${'1'.repeat(22)}` }
    await using left = await startVaults({ store, environment })
    await using right = await startVaults({ store, environment })
    const first = await left.vault('a').add({ amount: 5 })
    assert.deepEqual(await codesOf([right.vault('a').take({ amount: 5 })]), ['COMMAND_ID_REUSED'])
    assert.deepEqual(await right.vault('a').add({ amount: 5 }), first)
    assert.deepEqual((await right.vault('a').state()).amounts, [5])
    assert.equal((await logOf(store)).length, 1)
  })
})
