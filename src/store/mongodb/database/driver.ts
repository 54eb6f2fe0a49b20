/**
 * The only file that names the driver: its types for the other files, and loading it when a store is opened. It is an
 * optional peer dependency, so nothing may need it before.
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
 * A client of the store's own, not connected yet. It connects to the primary, whatever the URL says, and reads and
 * writes there.
 *
 * @throws StoreError `DRIVER_MISSING` if the driver is not installed, or the driver's error about the URL
 */
export async function makeClient(label: string, url: string, options: MongoClientOptions): Promise<MongoClient> {
  const driver = await import('mongodb').catch((error: unknown) => {
    throw new StoreError('DRIVER_MISSING', { store: label, driver: 'mongodb' }, error)
  })
  // As an object without tags: a name would be combined with the maximal staleness of the URL, which a primary must not
  // have.
  return new driver.MongoClient(url, {
    ...options,
    readPreference: driver.ReadPreference.primary,
    readPreferenceTags: [],
  })
}
