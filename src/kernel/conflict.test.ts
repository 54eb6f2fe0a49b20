/**
 * What happens if other writers write to the stream: two kernels on one store, and commits appended without a kernel.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { codesOf, logOf, stands, startVaults, until, watched } from '../../test/support/kernel/rig.ts'
import { ConflictError, commit, memory } from '../index.ts'
import type { StoreFactory } from '../store/store.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'

let ids = 0

/** Adds to a vault without a kernel, as another process would. */
async function addFromOutside(factory: StoreFactory, id: string, amount: number): Promise<void> {
  const store = await factory.open({ now: Date.now, warn: () => {} })
  const events = [{ type: 'Added', data: { amount } }]
  const stream = { aggregate: 'vault', id }
  await store.append([commit({ stream, expected: 'any', id: `outside-${++ids}`, recordedAt: 0, events })])
  await store.close()
}

describe('A conflict', () => {
  test('is resolved by loading the missed events and deciding again', async () => {
    const store = memory()
    const watch = watched(store)
    await using vaults = await startVaults({ store: watch.store })
    await vaults.vault('a').add({ amount: 5 })
    await addFromOutside(store, 'a', 10)
    watch.forget()
    const added = await vaults.vault('a').add({ amount: 1 })
    assert.equal(added.sequence, 3)
    assert.deepEqual(added.state, { balance: 16, amounts: [5, 10, 1] })
    const [reading] = watch.calls.filter(({ method }) => method === 'readStream')
    assert.deepEqual(
      (reading!.args[1] as { from: number }).from,
      1,
      'only the event that is known, and what was missed',
    )
    await vaults.vault('a').take({ amount: 12 })
  })

  test('drops the whole round: a rejection that was decided on events which were not stored is decided again', async () => {
    const store = memory()
    await using vaults = await startVaults({ store })
    const vault = vaults.vault('a')
    await vault.add({ amount: 10 })
    await addFromOutside(store, 'a', 10)
    const taken = vault.take({ amount: 10 })
    const second = vault.take({ amount: 10 })
    await Promise.all([taken, second])
    assert.deepEqual((await vault.state()).amounts, [10, 10, -10, -10])
  })

  test('of the first commit lets the second conflict too, even if its sequence matches by chance', async () => {
    const store = memory()
    const watch = watched(store)
    await using vaults = await startVaults({ store: watch.store })
    const vault = vaults.vault('a')
    await vault.add({ amount: 10 })
    await addFromOutside(store, 'a', -4)
    // Decided on 10: the first would leave 0 at sequence 2. The last expects sequence 2, which the outsider has
    // reached.
    const [taken, opened, last] = [vault.take({ amount: 10 }), vault.openOnce(), vault.add({ amount: 3 })]
    const codes = await codesOf([taken, opened, last])
    assert.deepEqual(codes, ['TooLittle', 'Open', 'ok'])
    assert.deepEqual((await last).state, { balance: 9, amounts: [10, -4, 3] })
    assert.deepEqual((await vault.state()).amounts, [10, -4, 3])
  })

  test('between two kernels loses no update, and every caller gets a true answer', async () => {
    const store = memory()
    await using left = await startVaults({ store, limits: { conflictTriesMax: 1000 } })
    await using right = await startVaults({ store, limits: { conflictTriesMax: 1000 } })
    const callers = Array.from({ length: 16 }, async (_, caller) => {
      const { vault } = caller % 2 === 0 ? left : right
      const outcomes = []
      for (let i = 0; i < 25; i++) outcomes.push(await vault(`v${i % 2}`).add({ amount: caller * 100 + i }))
      return outcomes
    })
    const outcomes = (await Promise.all(callers)).flat()
    const log = await logOf(store)
    assert.equal(log.length, 400)
    for (const { state, sequence, position, events } of outcomes) {
      const stored = log[position - 1]!
      assert.equal(stored.sequence, sequence)
      assert.deepEqual(stored.data, events[0]!.data)
      assert.deepEqual(events[0]!.position, position)
      const before = log.filter(({ stream, sequence: at }) => stream.id === stored.stream.id && at <= sequence)
      assert.deepEqual(
        state.amounts,
        before.map(({ data }) => (data as { amount: number }).amount),
      )
    }
  })

  test('that repeats conflictTriesMax times without getting a turn is answered with CONFLICT, and nothing is stored', async () => {
    const store = memory()
    const watch = watched(store)
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment, limits: { conflictTriesMax: 4 } })
    await vaults.vault('a').add({ amount: 1 })
    watch.forget()
    // Another writer is faster each time.
    let amount = 100
    watch.disturb(({ method }) => {
      if (method === 'reserve') return 'before'
      return method === 'append' ? addFromOutside(store, 'a', amount++) : undefined
    })
    const answer = vaults.vault('a').add({ amount: 2 })
    const expectation = assert.rejects(answer, (error) => {
      assert.ok(error instanceof ConflictError)
      assert.equal(error.code, 'CONFLICT')
      assert.ok(error.retryable)
      assert.deepEqual(error.facts, { stream: { aggregate: 'vault', id: 'a' }, tries: 4, sequence: 5 })
      return true
    })
    while ((await stands(answer)) === 'pending') await environment.advance(1000)
    await expectation
    assert.equal(watch.count('append'), 4)
    watch.disturb(() => undefined)
    const { state } = await vaults.vault('a').add({ amount: 3 })
    assert.deepEqual(state.amounts, [1, 100, 101, 102, 103, 3])
  })

  test('is decided again at once; after the second conflict the stream is reserved, and no rival can be faster', async () => {
    const store = memory()
    const watch = watched(store)
    await using vaults = await startVaults({ store: watch.store })
    await vaults.vault('a').add({ amount: 1 })
    watch.forget()
    watch.disturb(({ method }) => (method === 'append' ? addFromOutside(store, 'a', 9) : undefined))
    const { state } = await vaults.vault('a').add({ amount: 2 })
    assert.deepEqual(state.amounts, [1, 9, 9, 2])
    assert.deepEqual([watch.count('append'), watch.count('reserve')], [3, 1])
    watch.disturb(() => undefined)
    await addFromOutside(store, 'a', 3)
    assert.deepEqual((await vaults.vault('a').state()).amounts, [1, 9, 9, 2, 3], 'the stream is free again')
  })

  test('of one aggregate does not affect others in the same batch', async () => {
    const store = memory()
    const watch = watched(store)
    await using vaults = await startVaults({ store: watch.store })
    await Promise.all([vaults.vault('a').look(), vaults.vault('b').look()])
    await addFromOutside(store, 'a', 1)
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method, args }) =>
      method === 'append' && (args[0] as unknown[]).length === 1 ? gate.promise : undefined,
    )
    const a = vaults.vault('a').add({ amount: 2 })
    const b = vaults.vault('b').add({ amount: 3 })
    await b
    assert.equal(await stands(a), 'pending')
    gate.resolve()
    assert.equal((await a).sequence, 2)
  })

  test('loads the aggregate again if the missed events cannot be read', async () => {
    const store = memory()
    const watch = watched(store)
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment })
    await vaults.vault('a').add({ amount: 1 })
    await addFromOutside(store, 'a', 2)
    let failures = 2
    watch.disturb(({ method }) => (method === 'readStream' && failures-- > 0 ? 'before' : undefined))
    const answer = vaults.vault('a').add({ amount: 3 })
    await until('the aggregate waits to load again', () => environment.timers > 1)
    await environment.advance(1000)
    assert.deepEqual((await answer).state.amounts, [1, 2, 3])
  })
})
