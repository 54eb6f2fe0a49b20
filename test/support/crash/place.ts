/** From a place to the store in it: the ordinary one, or, for files, one on a disk that the caller gives. */
import { checkedFactory } from '../../../src/store/checked-store.ts'
import { type Disk, nodeDisk } from '../../../src/store/file/database/disk.ts'
import { openStore } from '../../../src/store/file/opening/open-store.ts'
import { mongodb } from '../../../src/store/mongodb/index.ts'
import { nats } from '../../../src/store/nats/index.ts'
import { postgres } from '../../../src/store/postgres/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import type { StoreFactory } from '../../../src/store/store.ts'
import type { Place } from './writer-protocol.ts'

/**
 * The store of a place. A file store is made from its parts, since a user cannot choose when journals are rewritten.
 */
export function storeAt(place: Place, disk: Disk = nodeDisk): StoreFactory {
  switch (place.store) {
    case 'sqlite':
      return sqlite(place.path)
    case 'postgres':
      return postgres(place.url, { schema: place.schema, ...waitsOf(place) })
    case 'mongodb':
      return mongodb(place.url, { database: place.database, ...waitsOf(place) })
    case 'nats': {
      const { url, prefix, replicas = 1 } = place
      return nats(url, { prefix, replicas, ...waitsOf(place) })
    }
    case 'file': {
      const { path: directory, segmentBytesMax, compactBytesMin, mayLoseOnPowerFailure } = place
      const settings = { disk, directory, segmentBytesMax, compactBytesMin, mayLoseOnPowerFailure }
      return checkedFactory({ name: 'file', open: (options) => openStore(settings, options) })
    }
  }
}

const waitsOf = ({ timeoutMs }: { readonly timeoutMs?: number }): { readonly timeoutMs?: number } =>
  timeoutMs === undefined ? {} : { timeoutMs }
