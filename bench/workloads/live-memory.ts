/**
 * W8: what a live, idle aggregate weighs beyond the user's state. The accounts exist already; each is woken by a
 * command that is rejected, so that nothing but the aggregate itself comes into memory (and what the store keeps in
 * mind of its stream).
 */
import { Bank } from '../bank.ts'
import type { Figure } from '../figure.ts'
import { makePlace, openStore, type Setting } from '../setting.ts'
import { accountAt, fill } from './events.ts'

const accountsFull = 100_000
const atOnce = 1000

export async function measureLiveMemory(setting: Setting): Promise<readonly Figure[]> {
  const accounts = accountsFull * setting.scale
  const place = makePlace(setting, 'w8')
  const filling = await openStore(place)
  await fill(filling, accounts, 1)
  await filling.close()
  const bank = await Bank.start({
    store: place.factory,
    projections: 'manual',
    passivateAfterMs: 3_600_000,
    limits: { liveAggregatesMax: 2 * accounts },
  })
  const wake = (index: number) => bank.account(accountAt(index).id).try.open({ owner: 'ada' })
  // Whatever is made once is there before the weighing.
  for (let index = 0; index < atOnce; index++) await wake(index)
  const before = weigh()
  for (let index = atOnce; index < accounts; index += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, (_, i) => wake(index + i)))
  }
  const memoryPeakBytes = process.memoryUsage.rss()
  const each = (weigh() - before) / (accounts - atOnce)
  if (bank.load().liveAggregates !== accounts) throw new Error('Not every account is in memory')
  await bank.stop()
  await place.remove()
  const value = each - weighState()
  const what = 'memory of a live, idle account beyond its state'
  return [{ id: 'W8', what, store: setting.store, unit: 'bytes', value, memoryPeakBytes }]
}

function weigh(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** What an account's state weighs by itself. */
function weighState(): number {
  const before = weigh()
  const states = new Array<object>(accountsFull)
  const room = weigh() - before
  for (let i = 0; i < accountsFull; i++) states[i] = Object.freeze({ status: 'open', balance: i & 1023 })
  const each = (weigh() - before - room) / states.length
  return each
}
