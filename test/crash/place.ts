/** From a place to the store in it: the ordinary one, or one on a disk that the caller gives. */
import { type Disk, nodeDisk } from '../../src/store/file/disk.ts'
import { openStore } from '../../src/store/file/open-store.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import type { Place } from './writer-protocol.ts'

/** The store of a place. A file store is made from its parts, since a user cannot choose when journals are written anew. */
export function storeAt(place: Place, disk: Disk = nodeDisk): StoreFactory {
  if (place.store === 'sqlite') return sqlite(place.path)
  const { path: directory, segmentBytesMax, compactBytesMin, mayLoseOnPowerFailure } = place
  const settings = { disk, directory, segmentBytesMax, compactBytesMin, mayLoseOnPowerFailure }
  return { name: 'file', open: (options) => openStore(settings, options) }
}
