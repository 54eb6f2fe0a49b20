/** An append without an answer: the kernel finds out whether it was stored. If it cannot, it tells the caller so. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  codesOf,
  logOf,
  recorder,
  settled,
  stands,
  startVaults,
  until,
  watched,
} from '../../test/support/kernel/rig.ts'
import { memory, OutcomeUnknownError, StoreError } from '../index.ts'
import type { Commit } from '../store/commit.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'

/** Moves the clock until a promise has settled. */
async function pass(environment: ReturnType<typeof manualEnvironment>, promise: Promise<unknown>): Promise<void> {
  while ((await stands(promise)) === 'pending') await environment.advance(1000)
}

describe('An append whose answer is lost', () => {
  for (const fault of ['before', 'after'] as const) {
    for (const commandId of [undefined, 'c1']) {
      const name = `${fault} its effect, ${commandId === undefined ? 'without' : 'with'} a command id`
      test(`${name}, is repeated, and the caller gets a true answer`, async () => {
        const watch = watched()
        const environment = manualEnvironment()
        const log = recorder()
        await using vaults = await startVaults({ store: watch.store, environment, log })
        await vaults.vault('a').add({ amount: 1 })
        watch.forget()
        watch.disturb(({ method, number }) => (method === 'append' && number <= 3 ? fault : undefined))
        const options = commandId === undefined ? {} : { commandId }
        const answers = [
          vaults.vault('a').add({ amount: 2 }, options),
          vaults.vault('a').try.take({ amount: 99 }),
          vaults.vault('a').add({ amount: 3 }),
        ] as const
        await pass(environment, Promise.all(answers))
        const [two, no, three] = await Promise.all(answers)
        assert.deepEqual([two.sequence, two.position, two.state.balance], [2, 2, 3])
        assert.deepEqual(
          two.events.map(({ position, sequence }) => [position, sequence]),
          [[2, 2]],
        )
        assert.equal(no.accepted, false)
        assert.deepEqual(three.state.amounts, [1, 2, 3])
        assert.equal((await logOf(watch.store)).length, 3)
        assert.deepEqual([...new Set(log.codes())], ['APPEND_REPEATED'])
      })
    }
  }

  test('is not repeated any more after the stop, when nobody waits for it', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    const log = recorder()
    const vaults = await startVaults({ store: watch.store, environment, log })
    await vaults.vault('a').add({ amount: 1 })
    watch.disturb(({ method }) => (method === 'append' || method === 'readStream' ? 'before' : undefined))
    const callers = new AbortController()
    const { signal } = callers
    const answers = ['a', 'b'].map((id) => stands(vaults.vault(id).add({ amount: 1 }, { signal })))
    await until('both are tried again', () => environment.timers >= 2)
    callers.abort()
    await Promise.all(answers)
    const appends = watch.count('append')
    await pass(environment, vaults.stop())
    assert.equal(environment.timers, 0)
    await environment.advance(10_000)
    assert.equal(watch.count('append'), appends)
  })

  test('and that another write follows is distinguished from one that never arrived', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment })
    await using other = await startVaults({ store: watch.store })
    await vaults.vault('a').add({ amount: 1 })
    for (const fault of ['before', 'after'] as const) {
      watch.disturb(({ method, args }) => {
        if (method !== 'append') return undefined
        const [commit] = args[0] as readonly { readonly id: string }[]
        return commit!.id === fault ? fault : undefined
      })
      const answer = vaults.vault('a').add({ amount: 2 }, { commandId: fault })
      await settled()
      await other.vault('a').add({ amount: 3 })
      watch.disturb(() => undefined)
      await pass(environment, answer)
      const { sequence, state } = await answer
      assert.equal(state.amounts.length, sequence)
      assert.equal(state.amounts.at(-1), 2)
    }
    const { amounts } = await vaults.vault('a').state()
    assert.deepEqual(amounts, [1, 3, 2, 2, 3])
  })

  for (const arrives of [true, false]) {
    const name = arrives ? 'it arrives after the reservation' : 'it never arrives'
    test(`is not decided again because the stream is reserved for another writer: ${name}`, async (t) => {
      const inner = memory()
      const watch = watched(inner)
      const environment = manualEnvironment()
      await using vaults = await startVaults({ store: watch.store, environment })
      const other = await inner.open({ now: () => environment.now(), warn: () => {} })
      t.after(() => other.close())
      await vaults.vault('a').add({ amount: 10 })
      watch.forget()
      let first: readonly unknown[] | undefined
      watch.disturb(({ method, args }) => {
        if (method !== 'append' || first !== undefined) return undefined
        first = args
        return 'before'
      })
      const taken = vaults.vault('a').try.take({ amount: 10 })
      await settled()
      const reservedAt = environment.now()
      await other.reserve([{ aggregate: 'vault', id: 'a' }], 'the other', 200)
      let isLate = arrives
      watch.disturb(({ method }) => {
        if (!isLate || method !== 'reserve' || environment.now() < reservedAt + 200) return undefined
        isLate = false
        return other.append(first![0] as readonly Commit[], first![1] as { readonly writer: string })
      })
      await pass(environment, taken)
      const outcome = await taken
      assert.ok(outcome.accepted, 'it is stored')
      assert.deepEqual([outcome.sequence, outcome.events.length, outcome.state.amounts], [2, 1, [10, -10]])
      assert.equal((await logOf(inner)).length, 2)
      assert.ok(watch.count('reserve') > 1)
      assert.equal(isLate, false)
      await environment.advance(5000)
      assert.equal((await other.reserve([{ aggregate: 'vault', id: 'a' }], 'the other', 1))[0], true)
    })
  }

  test('is found by its id when repeating it does not help', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment, limits: { appendTriesMax: 2 } })
    watch.disturb(({ method }) => (method === 'append' ? 'after' : undefined))
    const answers = [vaults.vault('a').add({ amount: 1 }), vaults.vault('a').add({ amount: 2 })]
    await pass(environment, Promise.all(answers))
    const outcomes = await Promise.all(answers)
    assert.deepEqual(
      outcomes.map(({ state, sequence }) => [state.balance, sequence]),
      [
        [1, 1],
        [3, 2],
      ],
    )
    watch.disturb(() => undefined)
    assert.equal((await vaults.vault('a').add({ amount: 3 })).sequence, 3)
  })

  test('for good is answered with OUTCOME_UNKNOWN, and the same commandId finds out later', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment })
    await vaults.vault('a').add({ amount: 1 })
    for (const fault of ['before', 'after'] as const) {
      watch.disturb(({ method }) => (method === 'append' ? fault : 'before'))
      const send = () => vaults.vault('a').add({ amount: 2 }, { commandId: fault })
      const answer = send()
      await pass(environment, answer)
      await assert.rejects(answer, (error) => {
        assert.ok(error instanceof OutcomeUnknownError)
        assert.deepEqual(error.facts, { stream: { aggregate: 'vault', id: 'a' }, commandId: fault })
        assert.ok(error.cause instanceof StoreError)
        return error.retryable
      })
      watch.disturb(() => undefined)
      const again = await send()
      assert.equal(again.state.amounts.at(-1), 2)
      assert.equal(again.events.length, 1)
    }
    assert.deepEqual((await vaults.vault('a').state()).amounts, [1, 2, 2])
  })

  test('does not affect later commands: they are decided on what was stored', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment, limits: { appendTriesMax: 1 } })
    watch.disturb(({ method }) => (method === 'append' ? 'after' : method === 'findCommit' ? 'before' : undefined))
    const lost = vaults.vault('a').add({ amount: 10 })
    const looked = vaults.vault('a').look()
    const taken = vaults.vault('a').try.take({ amount: 11 })
    assert.deepEqual(await codesOf([lost]), ['OUTCOME_UNKNOWN'])
    watch.disturb(() => undefined)
    assert.deepEqual((await looked).state.amounts, [10])
    const outcome = await taken
    assert.ok(!outcome.accepted)
    assert.deepEqual(outcome.rejection.details, { balance: 10 })
  })
})

describe('An append that certainly stored nothing', () => {
  test('is answered with the error of the store, without a repetition, and the next command works', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    await vaults.vault('a').add({ amount: 1 })
    watch.forget()
    const full = new StoreError('STORE_FULL', { store: 'memory' })
    watch.disturb(({ method }) => (method === 'append' ? full : undefined))
    const add = vaults.vault('a').add({ amount: 10 })
    const take = vaults.vault('a').try.take({ amount: 12 })
    assert.deepEqual(await codesOf([add]), ['STORE_FULL'])
    const outcome = await take
    assert.ok(!outcome.accepted, 'a decision on events that were not stored is made again')
    assert.deepEqual(outcome.rejection.details, { balance: 1 })
    watch.disturb(() => undefined)
    assert.deepEqual((await vaults.vault('a').add({ amount: 2 })).state.amounts, [1, 2])
    assert.equal(watch.count('append'), 2)
  })

  test('says nothing about an earlier attempt without an answer: the commit is looked for by its id', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment, limits: { appendTriesMax: 3 } })
    const full = new StoreError('STORE_FULL', { store: 'memory' })
    watch.disturb(({ method, number }) => (method !== 'append' ? undefined : number === 1 ? 'after' : full))
    const answer = vaults.vault('a').add({ amount: 1 })
    await pass(environment, answer)
    assert.equal((await answer).sequence, 1)
    await until('the log holds it', async () => (await logOf(watch.store)).length === 1)
  })
})
