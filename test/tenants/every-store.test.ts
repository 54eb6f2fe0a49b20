/** Tenants on every store: opened on demand, stopped when idle, and their scheduled commands are sent on time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../support/kernel/rig.ts'
import { sized } from '../support/size.ts'
import { onEveryStore } from '../support/stores/every-store.ts'
import { rig } from './pots.ts'

await onEveryStore('Tenants', (store) => {
  test('more tenants than may be open lose nothing, and see only what is theirs', async (context) => {
    const { banks, opened, stores } = rig(context, () => store.place(context), { openMax: 3, idleMs: 60_000 })
    const names = Array.from({ length: sized(8, 5) }, (_, i) => `tenant ${i}`)
    let most = 0
    for (let round = 1; round <= 2; round++) {
      await Promise.all(
        names.map(async (name, i) => {
          await banks
            .get(name)
            .pot('a')
            .put({ amount: i + 1 })
          most = Math.max(most, banks.load().open)
        }),
      )
    }
    for (const [i, name] of names.entries()) {
      const { state, position } = await banks.get(name).pot('a').read()
      assert.equal(state.sum, 2 * (i + 1))
      assert.equal(position, 2)
      assert.deepEqual(await banks.get(name).sums.get('a', { atLeast: 2 }), { sum: 2 * (i + 1) })
    }
    assert.ok(most <= 3 && stores.most <= 3, `${stores.most} were open`)
    assert.ok([...opened.values()].every((times) => times >= 1))
    await banks.stop()
    assert.equal(stores.open, 0)
    await assert.rejects(banks.get('tenant 0').pot('a').state(), { code: 'STOPPED' })
  })

  test('an idle tenant is stopped and opened again by the next call', async (context) => {
    const { banks, opened, stores } = rig(context, () => store.place(context), { idleMs: 30 })
    const acme = banks.get('acme')
    await acme.pot('a').put({ amount: 7 })
    await until('a store is closed', () => stores.open === 0)
    assert.equal((await acme.pot('a').state()).sum, 7)
    assert.equal(opened.get('acme'), 2)
  })

  test('a scheduled command of a stopped tenant is sent when it is due', async (context) => {
    const { banks, stores } = rig(context, () => store.place(context), { idleMs: 20 })
    const acme = banks.get('acme')
    await acme.pot('a').ask({ afterMs: 1500 })
    await until('the store is closed', () => stores.closed > 0)
    // Nobody calls, and it is opened all the same. A slow store may have sent it before.
    await until('the scheduled command is stored', () => stores.stored === 2)
    await until('the store is closed again', () => stores.open === 0)
    assert.equal(banks.load().scheduled, 0)
    assert.equal((await acme.pot('a').state()).sum, 1000)
  })
})
