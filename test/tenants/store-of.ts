/** The stores of tenants that several processes share. */
import type { StoreFactory } from '../../src/index.ts'
import { storeAt } from '../support/crash/place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'

/** The store of a tenant, or of the catalog, which is at the same place under another name. */
export function storeOf(place: Place, name: string): StoreFactory {
  if (place.store === 'sqlite') return storeAt({ ...place, path: `${place.path}/${name}.db` })
  if (place.store === 'postgres') return storeAt({ ...place, schema: `${place.schema}_${name}` })
  throw new Error(`these tests do not use ${place.store}`)
}
