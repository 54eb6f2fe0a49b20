/**
 * Rows of a new revision that a process has partly built before it ended. The same program continues the build. A
 * program that was corrected since, under the same revision, begins again. No row of the wrong program is ever live.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { domain, projection, type StoreFactory } from '../../src/index.ts'
import { faultyStore } from '../../src/testing/index.ts'
import { recorder, until } from '../support/kernel/rig.ts'
import { Pot, Put, Rustled } from '../support/read-side/pots.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const Sums = projection('sums', () => 0)
const first = Sums.on(Put, (sum, { amount }) => sum + amount)
const wrong = Sums.on(Put, (sum, { amount }) => sum + 100 * amount).revision(2)
const corrected = Sums.on(Put, (sum, { amount }) => sum + 2 * amount).revision(2)
const more = Sums.on(Put, (sum, { amount }) => sum + 2 * amount)
  .on(Rustled, (sum) => sum + 1000)
  .revision(2)

type Sums = typeof first | typeof more

function start(store: StoreFactory, sums: Sums): Promise<any> {
  // Soon, because of the lease of the process that ended.
  const options = { store, log: recorder(), leaseMs: 300, pollIntervalMs: 20 }
  return domain({ aggregates: { pot: Pot }, projections: { sums: sums as typeof first } }).start(options)
}

/** The rows of the first program, and a build of the wrong one, whose process ended after its first step. */
async function halfBuilt(store: StoreFactory): Promise<number> {
  const old = await start(store, first)
  await old.pot('a').rustle({ times: 1 })
  let position = 0
  for (let i = 0; i < 4; i++)
    ({ position } = await old.pot('a').fill({ amounts: Array.from({ length: 500 }, () => 1) }))
  assert.equal(await old.sums.get('a', { atLeast: position, timeoutMs: 60_000 }), 2000)
  await old.stop()
  let isBuilt = false
  let hasEnded = false
  const ending = faultyStore(store, ({ method, args: [name, step] }) => {
    if (method === 'close') return undefined
    if (isBuilt) hasEnded = true
    if (hasEnded) return 'before'
    const isStep = method === 'saveStep' && String(name).startsWith('rebuilt')
    isBuilt = isStep && (step as { readonly to: { readonly position: number } }).to.position > 0
    return undefined
  })
  const building = await start(ending, wrong)
  await until('the process ends', () => hasEnded)
  await building.stop().catch(() => {})
  return position
}

await onEveryStore('A build that was cut short', ({ place }) => {
  test('is continued by the same program', async (t) => {
    const store = await place(t)
    const position = await halfBuilt(store)
    const builds = new Set<string>()
    const watched = faultyStore(store, ({ method, args: [name] }) => {
      if (method === 'saveStep' && String(name).startsWith('rebuilt')) builds.add(String(name))
      return undefined
    })
    await using again = await start(watched, wrong)
    assert.equal(await again.sums.get('a', { atLeast: position, timeoutMs: 60_000 }), 200_000)
    assert.equal(builds.size, 1)
  })

  for (const [what, program, sum] of [
    ['other functions', corrected, 4000],
    ['one more kind of event', more, 5000],
  ] as const) {
    test(`is begun again by a program of the same revision with ${what}`, async (t) => {
      const store = await place(t)
      const position = await halfBuilt(store)
      await using next = await start(store, program)
      await until('its rows serve', async () => (await next.sums.get('a')) !== 2000)
      assert.equal(await next.sums.get('a', { atLeast: position, timeoutMs: 60_000 }), sum)
      assert.equal((await next.projections.status('sums')).failure, undefined)
    })
  }
})
