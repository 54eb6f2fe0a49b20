/** The logs of 10,000 and of 1,000,000 events that W9 and W10 share: made once a benchmark, used again. */
import { makePlace, openStore, type Place, type Setting } from '../setting.ts'
import { fill } from './events.ts'

/** Events of each stream of these logs. */
export const perStream = 100

/** A closed store with so many events in streams of 100. */
export async function largeLog(setting: Setting, events: number): Promise<Place> {
  const place = makePlace(setting, `log-${events}`)
  const store = await openStore(place)
  if ((await store.head()) < events) await fill(store, events / perStream, perStream)
  await store.close()
  return place
}
