/** When tenants that nobody calls are opened again, at their home and elsewhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { Waking } from './waking.ts'

test('A tenant is opened when its command is due, and elsewhere than at its home some seconds later', async () => {
  const environment = manualEnvironment()
  const begun = environment.elapsed()
  const opened = new Map<string, number>()
  const waking: Waking<string> = new Waking({
    ...{ environment, warn() {}, idleMs: 1000, openMax: 4, stopping: new AbortController().signal },
    async borrow(tenant) {
      opened.set(tenant, environment.elapsed() - begun)
      return { bank: tenant, release() {} }
    },
    restOf: async () => ({ isQuiet: true, dueAt: Number.POSITIVE_INFINITY }),
    lookIn(delayMs) {
      if (Number.isFinite(delayMs)) environment.after(Math.max(1, delayMs), () => waking.wakeDue())
    },
    isHome: (tenant) => tenant === 'ours',
  })
  const dueAt = environment.now() + 2000
  for (const tenant of ['ours', 'theirs']) waking.note(tenant, { isQuiet: true, dueAt })
  waking.note('quiet', { isQuiet: true, dueAt: Number.POSITIVE_INFINITY })
  assert.equal(waking.scheduled, 2)
  await environment.advance(20_000)
  assert.deepEqual([opened.get('ours'), opened.get('theirs'), opened.get('quiet')], [2000, 7000, undefined])
  assert.equal(waking.scheduled, 0)
})
