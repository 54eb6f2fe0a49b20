/**
 * W14: what an open, idle tenant weighs, with its store and its projection. The first tenants are at work before the
 * weighing, so what all tenants share is there already: threads that write, compiled code, and a heap that has grown.
 */
import { tenants } from '../../src/index.ts'
import { Bank } from '../bank.ts'
import type { Figure } from '../figure.ts'
import { makePlace, type Setting } from '../setting.ts'

/** As many as have a thread of their own in SQLite. */
const before = 4
const openMax = 50
const deposits = 100

export async function measureTenants(setting: Setting): Promise<readonly Figure[]> {
  const places = Array.from({ length: openMax }, () => makePlace(setting))
  const start = (name: string) => ({ store: places[Number(name)]!.factory })
  const banks = tenants(Bank, { start, openMax, idleMs: 3_600_000 })
  const work = async (tenant: number) => {
    const bank = banks.get(`${tenant}`)
    let position = 0
    await bank.account('ada').open({ owner: 'ada' })
    for (let i = 0; i < deposits; i++) ({ position } = await bank.account('ada').deposit({ amount: 1 }))
    await bank.balances.get('ada', { atLeast: position, timeoutMs: 60_000 })
  }
  for (let tenant = 0; tenant < before; tenant++) await work(tenant)
  const weight = weigh()
  for (let tenant = before; tenant < openMax; tenant++) await work(tenant)
  const value = (weigh() - weight) / (openMax - before)
  const memoryPeakBytes = process.memoryUsage.rss()
  if (banks.load().open !== openMax) throw new Error('Not every tenant is open')
  await banks.stop()
  await Promise.all(places.map((place) => place.remove()))
  const what = `resident memory of an open, idle tenant among ${openMax}, beyond what they share`
  return [{ id: 'W14', what, store: setting.store, unit: 'bytes', value, memoryPeakBytes }]
}

function weigh(): number {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage.rss()
}
