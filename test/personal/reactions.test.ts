/** What a reaction stores of personal fields: states, timers, answers, results of steps and parked events. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { forgotten, Personal, type StoreFactory } from '../../src/index.ts'
import { ada, impatient, ShopWithLetters, secrets } from '../support/personal/shop.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

async function open(t: TestContext, store: StoreFactory) {
  const warnings: unknown[] = []
  const log = { warn: (...args: unknown[]) => void warnings.push(args) }
  const shop = await ShopWithLetters.start({ store, environment: impatient(), log, projections: 'manual' })
  t.after(() => shop.stop())
  return { shop, warnings }
}

/** All rows of the reaction, as texts. */
async function rowsOf(store: StoreFactory): Promise<string> {
  const opened = await store.open({ warn: () => {}, now: Date.now })
  try {
    const { rows } = await opened.listRows('reaction greetings', { limit: 1000 })
    return rows.map((row) => JSON.stringify(row)).join('\n')
  } finally {
    await opened.close()
  }
}

await onEveryStore('personal fields in reactions', (store) => {
  test('are stored sealed, and come back as they were', async (t) => {
    const place = await store.place(t)
    const { shop } = await open(t, place)
    await shop.customer('1').register(ada('1'))
    await shop.reactions.runOnce('greetings')
    assert.equal((await shop.letter('1').state()).sent, 1)
    const { timers } = await shop.reactions.timers('greetings')
    const addresses = timers.map(({ command }) => (command.data as { readonly address: unknown }).address)
    assert.ok(addresses.every((address) => address instanceof Personal))
    const values = (addresses as Personal<string>[]).map(({ value }) => value)
    assert.deepEqual(values, [secrets[0], `found ${secrets[0]}`])
    await shop.forget('1')
    assert.deepEqual(
      (addresses as Personal<string>[]).map(({ value }) => value),
      [forgotten, forgotten],
    )
    await shop.stop()
    if (store.name === 'memory') return
    const rows = await rowsOf(place)
    assert.match(rows, /timer .*\$personal/)
    assert.match(rows, /state .*\$personal/)
    for (const secret of secrets) assert.ok(!rows.includes(secret))
  })

  test('are left out of the reasons of parked events', async (t) => {
    const place = await store.place(t)
    const { shop } = await open(t, place)
    await shop.customer('fails').register(ada('1'))
    await shop.reactions.runOnce('greetings')
    const [parked] = await shop.reactions.parked('greetings')
    assert.equal(parked?.reason, 'Error: no letter can be sent to [personal]')
    await shop.forget('1')
    // The handler does nothing for a person who is forgotten.
    assert.deepEqual(await shop.reactions.retryParked('greetings'), { handled: 1, parked: 0 })
  })

  test('a scheduled command is sent with its values, or with forgotten ones', async (t) => {
    const place = await store.place(t)
    let nowMs = Date.now()
    const environment = { ...impatient(), now: () => nowMs }
    const shop = await ShopWithLetters.start({
      store: place,
      environment,
      projections: 'manual',
      log: { warn: () => {} },
    })
    t.after(() => shop.stop())
    await shop.customer('1').register(ada('1'))
    await shop.customer('2').register(ada('2'))
    await shop.reactions.runOnce('greetings')
    await shop.forget('2')
    nowMs += 86_400_001
    await shop.reactions.runOnce('greetings')
    assert.deepEqual((await shop.reactions.timers('greetings')).timers, [], 'both were sent, and rejected')
    assert.deepEqual(await shop.reactions.parked('greetings'), [])
    for (const id of ['1', '2']) assert.equal((await shop.letter(id).state()).sent, 1)
  })
})
