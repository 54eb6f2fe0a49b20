/** The factory of the small store, which the guide page *Write a store* explains. */
import { checkedFactory, type StoreFactory } from '../../src/index.ts'
import { SmallLog } from './log/small-log.ts'
import { Leases } from './rows/leases.ts'
import { SmallRows } from './rows/small-rows.ts'
import { type SmallData, SmallStore } from './small-store.ts'

/** A store in memory. The data belongs to the factory, so a domain that is started again finds it. */
export function small(): StoreFactory {
  const data: SmallData = {
    log: new SmallLog(),
    rows: new SmallRows(),
    leases: new Leases(),
    reservations: new Leases(),
    listeners: new Set(),
  }
  return checkedFactory({ name: 'small', open: async ({ now }) => new SmallStore(data, now) })
}
