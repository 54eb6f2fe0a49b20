/**
 * A store whose reader finds the personal values of what it reads: each box in events, states and rows belongs to its
 * value afterwards. What is written has boxes already. Only domains with personal fields use it.
 */
import type { Json } from '../../domain/json.ts'
import type { Store } from '../../store/store.ts'
import type { KeyRing } from './key-ring.ts'

type Reads = Pick<Store, 'readStream' | 'readAll' | 'loadSnapshot' | 'loadRows' | 'loadRowsWithCheckpoint' | 'listRows'>

/** All other methods, also those that only some stores have: one that is forgotten here does not compile. */
type Rest = { readonly [Method in Exclude<keyof Store, keyof Reads>]: Store[Method] | undefined }

/** Opens the boxes in what a store reads. */
export function openingStore(store: Store, keys: Pick<KeyRing, 'open'>): Store {
  const rest: Rest = {
    name: store.name,
    limits: store.limits,
    singleWriter: store.singleWriter,
    append: store.append.bind(store),
    findCommit: store.findCommit.bind(store),
    streamEnds: store.streamEnds.bind(store),
    listStreams: store.listStreams.bind(store),
    reserve: store.reserve.bind(store),
    head: store.head.bind(store),
    onAppend: store.onAppend.bind(store),
    saveSnapshot: store.saveSnapshot.bind(store),
    loadCheckpoint: store.loadCheckpoint.bind(store),
    saveStep: store.saveStep.bind(store),
    resetProjection: store.resetProjection.bind(store),
    acquireLease: store.acquireLease.bind(store),
    releaseLease: store.releaseLease.bind(store),
    close: store.close.bind(store),
    transact: store.transact?.bind(store),
    // Reads tables of users, into which no box can be written.
    readSql: store.readSql?.bind(store),
  }
  return Object.freeze({ ...rest, ...readsOf(store, keys) }) as Store
}

function readsOf(store: Store, keys: Pick<KeyRing, 'open'>): Reads {
  const openAll = <Item, Field extends keyof Item>(items: readonly Item[], field: Field) => opened(keys, items, field)
  const openValues = async (values: readonly (Json | undefined)[]) => {
    const holders = await openAll(
      values.map((value) => ({ value })),
      'value',
    )
    return holders.map(({ value }) => value)
  }
  return {
    readStream: async (...args) => openAll(await store.readStream(...args), 'data'),
    async readAll(...args) {
      const page = await store.readAll(...args)
      const events = await openAll(page.events, 'data')
      return events === page.events ? page : { ...page, events }
    },
    async loadSnapshot(...args) {
      const snapshot = await store.loadSnapshot(...args)
      return snapshot === undefined ? undefined : (await openAll([snapshot], 'state'))[0]
    },
    loadRows: async (...args) => openValues(await store.loadRows(...args)),
    async loadRowsWithCheckpoint(...args) {
      const read = await store.loadRowsWithCheckpoint(...args)
      return { ...read, values: await openValues(read.values) }
    },
    async listRows(...args) {
      const page = await store.listRows(...args)
      const rows = await openAll(page.rows, 'value')
      return rows === page.rows ? page : { ...page, rows }
    },
  }
}

/** The same items, each with its field opened. */
async function opened<Item, Field extends keyof Item>(
  keys: Pick<KeyRing, 'open'>,
  items: readonly Item[],
  field: Field,
): Promise<readonly Item[]> {
  const before = items.map((item) => (item[field] ?? null) as Json)
  const after = await keys.open(before)
  if (after === before) return items
  return items.map((item, i) => (after[i] === before[i] ? item : { ...item, [field]: after[i] }))
}
