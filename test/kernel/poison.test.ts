/** A poison aggregate harms only itself: no other aggregate, no follower of the log, and not the end of a program. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, projection, type StartOptions } from '../../src/index.ts'
import { recorder } from '../support/kernel/rig.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const Added = event('Added', z.object({ amount: z.int() }))
const Soured = event('Soured', z.object({}))

/** A program that can apply what has soured, or one that can not. */
function programOf(isGood: boolean) {
  const Vault = aggregate('vault', () => ({ sum: 0 }), { snapshotEvery: 10 })
    .on(Added, ({ sum }, { amount }) => ({ sum: sum + amount }))
    .on(Soured, (state) => {
      if (!isGood) throw new RangeError('it has soured')
      return state
    })
    .command('add', z.object({ amount: z.int() }), (_, { amount }) => Added({ amount }))
    .command('sour', z.object({}), () => Soured())
    .command('burst', z.object({}), () => {
      throw new RangeError('it has burst')
    })
  const Sums = projection('sums', () => ({ sum: 0 })).on(Added, ({ sum }, { amount }) => ({ sum: sum + amount }))
  return domain({ aggregates: { vault: Vault }, projections: { sums: Sums } })
}

const ids = ['a', 'b', 'c', 'd', 'e', 'f']

await onEveryStore('A poison aggregate', ({ place }) => {
  test('harms only itself', async (t) => {
    const options: StartOptions = { store: await place(t), log: recorder() }
    const before = await programOf(true).start(options)
    for (const id of ['bad', ...ids]) await before.vault(id).add({ amount: 1 })
    await before.vault('bad').sour()
    await before.stop()

    const vaults = await programOf(false).start(options)
    const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
      work.then(
        () => 'accepted',
        ({ code, name }: { readonly code?: string; readonly name: string }) => code ?? name,
      )
    const outcomes: Promise<unknown>[] = []
    for (let round = 0; round < 12; round++) {
      for (const id of ids) {
        // All of these share batches. What cannot be loaded, decided or applied stands between the others.
        const vault = vaults.vault(id)
        outcomes.push(codeOf(vault.add({ amount: 1 })), codeOf(vaults.vault('bad').add({ amount: 1 })))
        outcomes.push(codeOf(vault.burst()), codeOf(vault.sour()), codeOf(vault.add({ amount: 1 })))
      }
    }
    const row = ['accepted', 'AGGREGATE_LOAD_FAILED', 'DECIDE_FAILED', 'EVOLVE_FAILED', 'accepted']
    assert.deepEqual(await Promise.all(outcomes), Array.from({ length: 12 * ids.length }, () => row).flat())
    const { position } = await vaults.vault('a').add({ amount: 0 })
    for (const id of ids) {
      assert.deepEqual((await vaults.vault(id).read()).state, { sum: 25 })
      assert.deepEqual(await vaults.sums.get(id, { atLeast: position, timeoutMs: 120_000 }), { sum: 25 })
    }
    assert.equal((await vaults.projections.status('sums')).state, 'running')
    await vaults.stop()

    await using after = await programOf(true).start({ ...options, projections: 'manual' })
    assert.equal((await after.vault('bad').add({ amount: 1 })).sequence, 3)
    assert.equal((await after.vault('a').add({ amount: 0 })).sequence, 27)
  })
})
