/** The factory of the store in memory. */
import { checkedFactory } from '../checked-store.ts'
import { Reservations } from '../reservations.ts'
import type { StoreFactory } from '../store.ts'
import { MemoryLog } from './log/memory-log.ts'
import { type MemoryData, MemoryStore } from './memory-store.ts'
import { MemoryRows } from './rows/memory-rows.ts'

/**
 * A store in memory. Each call makes a new, empty one; starting several times on the same one finds the same data.
 *
 *     await using bank = await Bank.start({ store: memory() })
 */
export function memory(): StoreFactory {
  const data: MemoryData = { log: new MemoryLog(), rows: new MemoryRows(), reservations: new Reservations() }
  return checkedFactory({ name: 'memory', open: async ({ now }) => new MemoryStore(data, now) })
}
