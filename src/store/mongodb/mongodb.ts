/**
 * The store in MongoDB, or in a server that speaks its protocol: one document for each commit, written by
 * compare-and-set on the end of the log. It therefore needs no transactions, and works on a single server and on a
 * replica set (`appender.ts` says why no reader ever misses an event). Any number of processes may use it at once.
 *
 * A commit is acknowledged when a majority has it in its journal. Projections first write their rows into the
 * checkpoint's document (`write-ahead.ts`). That one change is the step, and a killed process leaves nothing
 * unfinished.
 *
 * Left out: sharded collections (their unique indexes must begin with the shard key), and weaker write concerns.
 */
import { checkedFactory } from '../checked-store.ts'
import type { StoreFactory } from '../store.ts'
import type { MongoClient } from './database/driver.ts'
import { MongodbStore } from './mongodb-store.ts'
import { type MongodbOptions, settingsOf } from './options.ts'

/**
 * A store in MongoDB, at a URL or on a client of the caller's, which is neither closed with the store nor replaced when
 * it hangs. It needs the package `mongodb` 7 (`npm install mongodb`), which is loaded when the store is opened.
 *
 *     await using bank = await Bank.start({ store: mongodb('mongodb://localhost/bank') })
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function mongodb(place: string | MongoClient, options: MongodbOptions = {}): StoreFactory {
  const settings = settingsOf(place, options)
  return checkedFactory({ name: 'mongodb', open: (openOptions) => MongodbStore.open(settings, openOptions) })
}
