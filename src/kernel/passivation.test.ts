/** Which aggregates leave memory, and when. No command is lost. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recorder, settled, stands, startVaults, until, watched } from '../../test/support/kernel/rig.ts'
import { vaultWith } from '../../test/support/kernel/vault.ts'
import { domain, memory } from '../index.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'

describe('Passivation', () => {
  test('removes an aggregate after its idle time, and not before; the next command loads it again', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment, passivateAfterMs: 1000 })
    await vaults.vault('a').add({ amount: 1 })
    await environment.advance(999)
    assert.equal(vaults.load().liveAggregates, 1)
    await environment.advance(1)
    assert.equal(vaults.load().liveAggregates, 0)
    watch.forget()
    assert.deepEqual((await vaults.vault('a').add({ amount: 2 })).state.amounts, [1, 2])
    assert.equal(watch.count('readStream'), 1)
  })

  test('counts every command as use: accepted, rejected, without events, and failed ones', async () => {
    const environment = manualEnvironment()
    await using vaults = await startVaults({ environment, passivateAfterMs: 1000 })
    const vault = vaults.vault('a')
    await vault.add({ amount: 1 })
    const uses = [
      () => vault.add({ amount: 1 }),
      () => vault.try.take({ amount: 99 }),
      () => vault.look(),
      () => vault.fail().catch(() => {}),
      () => vault.try.take({ amount: 99 }),
    ]
    for (const use of uses) {
      await environment.advance(900)
      assert.equal(vaults.load().liveAggregates, 1)
      await use()
    }
    await environment.advance(999)
    assert.equal(vaults.load().liveAggregates, 1)
    await environment.advance(1)
    assert.equal(vaults.load().liveAggregates, 0)
  })

  test('removes each aggregate at its own time, with one timer', async () => {
    const environment = manualEnvironment()
    await using vaults = await startVaults({ environment, passivateAfterMs: 1000 })
    for (let i = 0; i < 10; i++) {
      await vaults.vault(`v${i}`).add({ amount: 1 })
      assert.equal(environment.timers, 1)
      await environment.advance(100)
    }
    for (let left = 9; left >= 0; left--) {
      assert.equal(vaults.load().liveAggregates, left)
      await environment.advance(100)
    }
    assert.equal(environment.timers, 0)
  })

  test('removes aggregates after their idle time, or twice that time, although the clock is set back by hours', async () => {
    const environment = manualEnvironment()
    await using vaults = await startVaults({ environment, passivateAfterMs: 1000 })
    await vaults.vault('before').add({ amount: 1 })
    await environment.advance(500)
    environment.setClock(new Date(environment.now() - 10 * 3_600_000))
    await vaults.vault('after').add({ amount: 1 })
    assert.equal(vaults.load().liveAggregates, 2)
    await environment.advance(2000)
    assert.equal(vaults.load().liveAggregates, 0)
  })

  test('does not remove an aggregate while a command runs or waits', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment, passivateAfterMs: 1000 })
    for (const method of ['readStream', 'append'] as const) {
      const gate = Promise.withResolvers<void>()
      watch.disturb((call) => (call.method === method ? gate.promise : undefined))
      const answer = vaults.vault('a').add({ amount: 1 })
      await environment.advance(10_000)
      assert.equal(vaults.load().liveAggregates, 1)
      assert.equal(await stands(answer), 'pending')
      watch.disturb(() => undefined)
      gate.resolve()
      await answer
      await environment.advance(2000)
      assert.equal(vaults.load().liveAggregates, 0)
    }
  })

  test('loses no command that arrives at the same moment', async () => {
    const environment = manualEnvironment()
    await using vaults = await startVaults({ environment, passivateAfterMs: 1000 })
    const vault = vaults.vault('a')
    let sent = 0
    for (let i = 0; i < 50; i++) {
      await vault.add({ amount: 1 })
      sent++
      const answers: Promise<unknown>[] = []
      const before = environment.after(999, () => answers.push(vault.add({ amount: 1 })))
      const at = environment.after(1000, () => answers.push(vault.add({ amount: 1 }), vault.add({ amount: 1 })))
      await environment.advance(1000)
      before()
      at()
      assert.equal(answers.length, 3)
      await Promise.all(answers)
      sent += 3
      await environment.advance(1000)
      assert.equal(vaults.load().liveAggregates, 0)
    }
    assert.equal((await vault.state()).amounts.length, sent)
  })

  test('keeps the live aggregates within the limit: the least recently used leave first', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store, limits: { liveAggregatesMax: 3 } })
    for (const id of ['a', 'b', 'c', 'a', 'd']) await vaults.vault(id).add({ amount: 1 })
    assert.equal(vaults.load().liveAggregates, 3)
    const loads = async (id: string) => {
      watch.forget()
      await vaults.vault(id).look()
      return watch.count('readStream')
    }
    assert.equal(await loads('a'), 0)
    assert.equal(await loads('c'), 0)
    assert.equal(await loads('d'), 0)
    assert.equal(await loads('b'), 1)
  })

  test('returns to the limit after a burst in which all were busy', async () => {
    const environment = manualEnvironment()
    const options = { environment, passivateAfterMs: Number.POSITIVE_INFINITY, limits: { liveAggregatesMax: 5 } }
    await using vaults = await startVaults(options)
    await Promise.all(Array.from({ length: 100 }, (_, i) => vaults.vault(`v${i}`).add({ amount: 1 })))
    await environment.advance(1000)
    assert.equal(vaults.load().liveAggregates, 5)
    assert.equal(environment.timers, 0)
  })

  test('finds idle aggregates behind any number of busy ones', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    const options = { environment, passivateAfterMs: Number.POSITIVE_INFINITY, limits: { liveAggregatesMax: 110 } }
    await using vaults = await startVaults({ ...options, store: watch.store })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method, args }) =>
      method === 'readStream' && (args[0] as { readonly id: string }).id.startsWith('busy') ? gate.promise : undefined,
    )
    const busy = Array.from({ length: 100 }, (_, i) => vaults.vault(`busy${i}`).add({ amount: 1 }))
    for (let i = 0; i < 10; i++) await vaults.vault(`idle${i}`).look()
    for (let i = 0; i < 10; i++) await vaults.vault(`late${i}`).look()
    await environment.advance(1000)
    assert.equal(vaults.load().liveAggregates, 110)
    gate.resolve()
    await Promise.all(busy)
    watch.forget()
    await Promise.all(Array.from({ length: 100 }, (_, i) => vaults.vault(`busy${i}`).look()))
    assert.equal(watch.count('readStream'), 0, 'no busy aggregate was removed')
  })

  test('with a limit of one still answers all commands', async () => {
    await using vaults = await startVaults({ limits: { liveAggregatesMax: 1 } })
    for (let round = 1; round <= 20; round++) {
      const ids = Array.from({ length: 10 }, (_, i) => `v${i}`)
      const outcomes = await Promise.all(ids.map((id) => vaults.vault(id).add({ amount: 1 })))
      for (const { sequence } of outcomes) assert.equal(sequence, round)
    }
  })

  test('uses the time of the aggregate rather than the default at start', async () => {
    const environment = manualEnvironment()
    const Both = domain({ aggregates: { vault: vaultWith({ passivateAfterMs: 100 }) } })
    await using vaults = await Both.start({ store: memory(), environment, passivateAfterMs: 5000, log: recorder() })
    await vaults.vault('a').add({ amount: 1 })
    await environment.advance(100)
    assert.equal(vaults.load().liveAggregates, 0)
  })

  test('does not happen if the time is infinite', async () => {
    const environment = manualEnvironment()
    await using vaults = await startVaults({ environment, passivateAfterMs: Number.POSITIVE_INFINITY })
    await vaults.vault('a').add({ amount: 1 })
    await environment.advance(10 ** 9)
    assert.equal(vaults.load().liveAggregates, 1)
    assert.equal(environment.timers, 0)
  })

  test('leaves no timer behind when the domain is stopped', async () => {
    const environment = manualEnvironment()
    const watch = watched()
    const vaults = await startVaults({ store: watch.store, environment, passivateAfterMs: 1000 })
    await vaults.vault('a').add({ amount: 1 })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'append' ? gate.promise : undefined))
    const answers = [vaults.vault('a').add({ amount: 1 }), vaults.vault('b').add({ amount: 1 })]
    await settled()
    const waiting = vaults.vault('b').add({ amount: 1 })
    const stopped = vaults.stop()
    await settled()
    gate.resolve()
    await Promise.all([...answers, waiting, stopped])
    await until('no timer is left', () => environment.timers === 0)
  })
})
