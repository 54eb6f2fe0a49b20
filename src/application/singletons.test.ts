/** The singletons of a running domain: one of each name, and none when the domain has stopped. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startVaults, until } from '../../test/support/kernel/rig.ts'

/** Work that goes on until it is told to end, and how much of it is done now. */
function counted() {
  const work = { now: 0, most: 0, begin }
  async function begin(signal: AbortSignal): Promise<void> {
    work.most = Math.max(work.most, ++work.now)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    work.now--
  }
  return work
}

test('A handle that is stopped again does not free the name that another singleton has now', async () => {
  const bank = await startVaults({ pollIntervalMs: 5 })
  const work = counted()
  const earlier = bank.cluster.singleton('work', work.begin)
  await until('it works', () => earlier.isHere)
  await earlier.stop()
  const later = bank.cluster.singleton('work', work.begin)
  await earlier.stop()
  assert.throws(() => bank.cluster.singleton('work', work.begin), { code: 'DEFINITION_INVALID' })
  await until('the other one works', () => later.isHere)
  await bank.stop()
  assert.deepEqual([work.now, work.most, later.isHere], [0, 1, false])
})

test('A domain that stops begins no singleton', async () => {
  const bank = await startVaults()
  const stopped = bank.stop()
  assert.throws(() => bank.cluster.singleton('work', () => {}), { code: 'STOPPED' })
  await stopped
  assert.throws(() => bank.cluster.singleton('work', () => {}), { code: 'STOPPED' })
})
