/**
 * A command that expects a sequence: refused before it is decided, with the true sequence, whoever wrote to the stream,
 * and answered as before if it is stored already. Two kernels on one store represent two processes.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { codesOf, logOf, startVaults, watched } from '../../test/support/kernel/rig.ts'
import { hasCode, memory } from '../index.ts'

/** The sequence that the refusal of a command names. */
async function refusedAt(command: Promise<unknown>): Promise<number> {
  const error: unknown = await command.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  )
  assert.ok(hasCode(error, 'SEQUENCE_UNEXPECTED'), String(error))
  assert.equal(error.retryable, false)
  return error.facts.sequence
}

describe('A command that expects a sequence', () => {
  test('is decided at that sequence, and otherwise refused with the actual one, undecided', async () => {
    await using vaults = await startVaults()
    const vault = vaults.vault('a')
    assert.equal(await refusedAt(vault.add({ amount: 1 }, { expectedSequence: 1 })), 0)
    assert.equal((await vault.add({ amount: 1 }, { expectedSequence: 0 })).sequence, 1)
    assert.equal(await refusedAt(vault.add({ amount: 1 }, { expectedSequence: 0 })), 1)
    // Each of these would have another answer if it were decided.
    assert.equal(await refusedAt(vault.try.take({ amount: 9 }, { expectedSequence: 2 })), 1)
    assert.equal(await refusedAt(vault.look({}, { expectedSequence: 0 })), 1)
    assert.equal(await refusedAt(vault.fail({}, { expectedSequence: 0 })), 1)
    assert.deepEqual(await codesOf([vault.take({ amount: 9 }, { expectedSequence: 1 })]), ['TooLittle'])
    const error: unknown = await vault.add({ amount: 1 }, { expectedSequence: 5 }).catch((thrown: unknown) => thrown)
    assert.match(String(error), /The command add expects vault "a" at sequence 5, but it is at 1\. Read/)
  })

  test('may be given as data', async () => {
    await using vaults = await startVaults()
    const command = { aggregate: 'vault', id: 'a', name: 'add', data: { amount: 1 } } as const
    assert.equal((await vaults.dispatch({ ...command, expectedSequence: 0 })).sequence, 1)
    assert.equal(await refusedAt(vaults.try.dispatch({ ...command, expectedSequence: 0 })), 1)
  })

  test('is judged on what the commands before it leave, in one round', async () => {
    const watch = watched(memory())
    await using vaults = await startVaults({ store: watch.store })
    const vault = vaults.vault('a')
    await vault.look()
    const commands = [
      vault.add({ amount: 1 }, { expectedSequence: 0 }),
      vault.add({ amount: 1 }, { expectedSequence: 0 }),
      vault.burst({ count: 2 }, { expectedSequence: 1 }),
      vault.take({ amount: 99 }, { expectedSequence: 3 }),
      vault.add({ amount: 1 }, { expectedSequence: 3 }),
    ]
    assert.deepEqual(await codesOf(commands), ['ok', 'SEQUENCE_UNEXPECTED', 'ok', 'TooLittle', 'ok'])
    assert.equal(watch.count('append'), 1, 'one round')
    assert.equal(await refusedAt(commands[1]!), 1)
  })

  for (const mayAnswerFromStaleState of [false, true]) {
    const how = mayAnswerFromStaleState ? ', even if answers may be stale' : ''
    test(`is judged on the events of another process${how}`, async () => {
      const store = memory()
      await using left = await startVaults({ store, mayAnswerFromStaleState })
      await using right = await startVaults({ store, mayAnswerFromStaleState })
      await left.vault('a').add({ amount: 1 })
      await right.vault('a').add({ amount: 2 })
      // The live instance on the left is at sequence 1.
      assert.equal(await refusedAt(left.vault('a').look({}, { expectedSequence: 0 })), 2)
      await right.vault('a').add({ amount: 3 })
      assert.equal(await refusedAt(left.vault('a').add({ amount: 1 }, { expectedSequence: 2 })), 3)
      await right.vault('a').add({ amount: 4 })
      const added = await left.vault('a').add({ amount: 5 }, { expectedSequence: 4 })
      assert.deepEqual(added.state.amounts, [1, 2, 3, 4, 5])
    })
  }

  test('is refused, not stored, if another process writes while it is appended', async () => {
    const store = memory()
    const watch = watched(store)
    await using left = await startVaults({ store: watch.store })
    await using right = await startVaults({ store })
    await left.vault('a').add({ amount: 1 })
    watch.disturb(({ method }) => {
      if (method !== 'append') return undefined
      watch.disturb(() => undefined)
      return right.vault('a').add({ amount: 2 })
    })
    assert.equal(await refusedAt(left.vault('a').add({ amount: 3 }, { expectedSequence: 1 })), 2)
    assert.equal((await logOf(store)).length, 2)
  })

  test('gets the stored answer when it is repeated, whatever it expects', async () => {
    const store = memory()
    await using left = await startVaults({ store })
    await using right = await startVaults({ store })
    const repeated = (vaults: typeof left, expectedSequence: number) =>
      vaults.vault('a').add({ amount: 7 }, { commandId: 'c-1', expectedSequence })
    const first = await repeated(left, 0)
    await left.vault('a').add({ amount: 1 })
    for (const vaults of [left, right]) {
      for (const expectedSequence of [0, 1, 2, 9]) {
        const { sequence, position, events } = await repeated(vaults, expectedSequence)
        assert.deepEqual([sequence, position, events], [first.sequence, first.position, first.events])
      }
    }
    const twice = (expectedSequence: number) =>
      right.vault('b').add({ amount: 1 }, { commandId: 'twice', expectedSequence })
    assert.deepEqual(await codesOf([twice(0), twice(0)]), ['ok', 'ok'])
    assert.equal((await logOf(store)).length, 3)
    // What was refused stored nothing, so its repetition is judged again.
    const late = () => left.vault('a').add({ amount: 1 }, { commandId: 'late', expectedSequence: 3 })
    assert.equal(await refusedAt(late()), 2)
    await left.vault('a').add({ amount: 1 })
    assert.equal((await late()).sequence, 4)
  })

  test('has no answer if the store cannot say where the stream ends', async () => {
    const watch = watched(memory())
    await using vaults = await startVaults({ store: watch.store, limits: { loadTriesMax: 1 } })
    await vaults.vault('a').add({ amount: 1 })
    watch.disturb(({ method }) => (method === 'streamEnds' ? new RangeError('no answer') : undefined))
    const late = vaults.vault('a').add({ amount: 1 }, { expectedSequence: 5 })
    await assert.rejects(late, { message: 'no answer' })
  })

  test('needs a whole number from 0', async () => {
    await using vaults = await startVaults()
    for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '5', null, 2 ** 53]) {
      const expectedSequence = bad as number
      await assert.rejects(vaults.vault('a').add({ amount: 1 }, { expectedSequence }), { code: 'OPTION_INVALID' })
      const command = { aggregate: 'vault', id: 'a', name: 'add', data: { amount: 1 }, expectedSequence } as const
      await assert.rejects(vaults.dispatch(command), { code: 'COMMAND_MALFORMED' })
    }
    assert.equal((await vaults.vault('a').read()).sequence, 0)
  })
})
