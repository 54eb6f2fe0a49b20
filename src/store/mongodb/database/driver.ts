/**
 * The only place that names the driver: its types for the other files, and the loading of it when a store is opened. It
 * is an optional peer dependency, so nothing may need it before.
 *
 * Tidy: imports a package because the driver is what this store is made for; users of the store install it.
 */
import type { MongoClient, MongoClientOptions } from 'mongodb'
import { StoreError } from '../../../domain/error.ts'

export type {
  ChangeStream,
  ClientSession,
  Db,
  Document,
  Filter,
  FindCursor,
  MongoClient,
  MongoClientOptions,
  Timestamp,
} from 'mongodb'

/**
 * A client of the store's own, not connected yet. It connects to the primary, whatever the URL says: there it reads and
 * writes.
 *
 * @throws StoreError `DRIVER_MISSING` if the driver is not installed, or whatever the driver has against the URL
 */
export async function makeClient(label: string, url: string, options: MongoClientOptions): Promise<MongoClient> {
  const driver = await import('mongodb').catch((error: unknown) => {
    throw new StoreError('DRIVER_MISSING', { store: label, driver: 'mongodb' }, error)
  })
  // As an object, and without tags: a name would be put together with the maximal staleness of the URL, which no
  // primary has.
  return new driver.MongoClient(url, {
    ...options,
    readPreference: driver.ReadPreference.primary,
    readPreferenceTags: [],
  })
}
