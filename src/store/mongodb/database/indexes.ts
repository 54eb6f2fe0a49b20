/**
 * Makes and checks the indexes when a store is opened. They ensure that a place in the log, a place in a stream and a
 * commit id exist only once. An index is recognised by its properties and not by its name, so people may make them by
 * hand.
 */
import { StoreError } from '../../../domain/error.ts'
import { type CollectionName, type Database, pause } from './database.ts'
import { isMadeByOthers, isMissingCollection, refusesMajorityReads } from './failure.ts'

/** The version of the layout. */
export const formatVersion = 2

/** The version of collections and indexes. A program refuses a database with any other one. */
const schemaVersion = 2

type Key = Readonly<Record<string, 1>>

interface Index {
  readonly collection: CollectionName
  readonly name: string
  readonly key: Key
  readonly unique: boolean
}

/** The index that every collection has. */
export const byId: Key = { _id: 1 }

const byStream: Key = { aggregate: 1, id: 1, from: 1 }
const byCommit: Key = { aggregate: 1, id: 1, commitId: 1 }

/** The indexes of queries, which name them as hints. */
export const indexes: Readonly<Record<string, Key>> & {
  readonly [Name in
    | 'byStream'
    | 'byCommit'
    | 'byAggregate'
    | 'byType'
    | 'byTag'
    | 'bySnapshot'
    | 'byRow'
    | 'byPart']: Key
} = {
  byStream,
  byCommit,
  byAggregate: { aggregate: 1, _id: 1 },
  byType: { types: 1, _id: 1 },
  byTag: { tags: 1, _id: 1 },
  bySnapshot: { aggregate: 1, id: 1, sequence: 1 },
  byRow: { projection: 1, key: 1 },
  byPart: { projection: 1, token: 1, part: 1 },
}

const wanted: readonly Index[] = [
  { collection: 'commits', name: 'by_stream', key: byStream, unique: true },
  { collection: 'commits', name: 'by_commit', key: byCommit, unique: true },
  { collection: 'commits', name: 'by_aggregate', key: indexes.byAggregate, unique: false },
  { collection: 'commits', name: 'by_type', key: indexes.byType, unique: false },
  { collection: 'commits', name: 'by_tag', key: indexes.byTag, unique: false },
  { collection: 'snapshots', name: 'by_snapshot', key: indexes.bySnapshot, unique: true },
  { collection: 'rows', name: 'by_row', key: indexes.byRow, unique: true },
  { collection: 'step_parts', name: 'by_part', key: indexes.byPart, unique: true },
]
const indexed: readonly CollectionName[] = [...new Set(wanted.map(({ collection }) => collection))]
/** Collections without an index of their own. They are made anyway, so that nothing depends on the first writer. */
const plain: readonly CollectionName[] = ['projections', 'leases', 'reservations', 'meta']

/** The possible unique violations of commits: a place in the log, a place in a stream, a commit id. */
export type Collision = 'position' | 'sequence' | 'commit'

/**
 * The unique index of commits that the server names; undefined if it names none, 'foreign' if it is not one of ours.
 */
export function collisionOf(pattern: Readonly<Record<string, unknown>> | undefined): Collision | 'foreign' | undefined {
  if (pattern === undefined) return undefined
  if (isSameKey(pattern, byId)) return 'position'
  if (isSameKey(pattern, byStream)) return 'sequence'
  return isSameKey(pattern, byCommit) ? 'commit' : 'foreign'
}

interface Found {
  readonly key: Readonly<Record<string, unknown>>
  readonly unique?: boolean
  readonly sparse?: boolean
  readonly partialFilterExpression?: unknown
  readonly collation?: { readonly locale?: string }
  readonly expireAfterSeconds?: number
}

interface Meta {
  readonly _id: string
  readonly schema: number
  readonly format: number
}

const triesMax = 5

/**
 * Makes what is missing, if that is allowed, and checks that everything exists. Any number of processes may do so at
 * once.
 *
 * @throws StoreError `STORE_NOT_MIGRATED`, `STORE_TOO_NEW`, `STORE_TOO_OLD`, `STORE_CORRUPT`
 */
export async function makeOrCheckIndexes(database: Database, label: string, migrate: boolean): Promise<void> {
  const known = await readMeta(database)
  checkVersions(label, known)
  if (migrate) {
    for (const collection of indexed) await makeIndexes(database, collection)
    for (const collection of plain) await makeCollection(database, collection)
    if (known === undefined) await writeMeta(database)
  } else if (known === undefined) {
    const reason = 'there are no collections of a store yet, and migrate is false'
    throw new StoreError('STORE_NOT_MIGRATED', { store: label, reason })
  }
  for (const collection of indexed) await checkIndexes(database, label, collection)
}

/** Reads the versions. This is the first majority read, which shows whether the server has such reads. */
async function readMeta(database: Database): Promise<Meta | undefined> {
  const read = () => database.get<Meta>('meta', 'schema')
  return read().catch((error: unknown) => {
    if (isMissingCollection(error)) return undefined
    // In a replica set, data that a majority lacks may be undone, so nothing may depend on it.
    if (!refusesMajorityReads(error) || database.isReplicated) throw error
    database.readLocally()
    return read()
  })
}

function checkVersions(store: string, meta: Meta | undefined): void {
  if (meta === undefined) return
  for (const [version, known] of [
    [meta.schema, schemaVersion],
    [meta.format, formatVersion],
  ] as const) {
    if (version === known) continue
    const isVersion = Number.isSafeInteger(version) && version > 0
    if (isVersion) throw new StoreError(version > known ? 'STORE_TOO_NEW' : 'STORE_TOO_OLD', { store, version, known })
    throw new StoreError('STORE_CORRUPT', { store, where: 'its versions', reason: `${version} is not a version` })
  }
}

async function writeMeta(database: Database): Promise<void> {
  await database.insert('meta', [{ _id: 'schema', schema: schemaVersion, format: formatVersion }])
}

async function makeIndexes(database: Database, collection: CollectionName): Promise<void> {
  for (let tries = 1; ; tries++) {
    const missing = await missingIn(database, collection)
    if (missing.length === 0) return
    const specifications = missing.map(({ name, key, unique }) => ({ name, key, ...(unique && { unique }) }))
    const writeConcern = { w: 'majority' }
    try {
      await database.command({ createIndexes: database.nameOf(collection), indexes: specifications, writeConcern })
      return
    } catch (error) {
      // Servers fail in many ways when several processes make the same index. At the next attempt it exists.
      if (tries === triesMax) throw error
      await pause(tries)
    }
  }
}

async function makeCollection(database: Database, collection: CollectionName): Promise<void> {
  const name = database.nameOf(collection)
  const { cursor } = await database.command({ listCollections: 1, filter: { name }, nameOnly: true })
  if (cursor.firstBatch.length > 0) return
  await database.command({ create: name }).catch((error: unknown) => {
    if (!isMadeByOthers(error)) throw error
  })
}

async function checkIndexes(database: Database, store: string, collection: CollectionName): Promise<void> {
  const where = database.nameOf(collection)
  const missing = await missingIn(database, collection)
  if (missing.length > 0) {
    const keys = missing.map(({ key, unique }) => `${JSON.stringify(key)}${unique ? ' (unique)' : ''}`)
    throw new StoreError('STORE_CORRUPT', { store, where, reason: `missing indexes: ${keys.join(', ')}` })
  }
  const { cursor } = await database.command({ listCollections: 1, filter: { name: where } })
  const locale = (cursor.firstBatch[0]?.options as { collation?: { locale?: string } } | undefined)?.collation?.locale
  if (locale === undefined || locale === 'simple') return
  const reason = `its collation is ${locale}, by which different ids can be equal`
  throw new StoreError('STORE_CORRUPT', { store, where, reason })
}

async function missingIn(database: Database, collection: CollectionName): Promise<readonly Index[]> {
  const found = await listIndexes(database, collection)
  return wanted.filter((index) => index.collection === collection && !found.some((each) => serves(each, index)))
}

async function listIndexes(database: Database, collection: CollectionName): Promise<readonly Found[]> {
  try {
    const { cursor } = await database.command({ listIndexes: database.nameOf(collection), cursor: { batchSize: 1000 } })
    return cursor.firstBatch
  } catch (error) {
    if (isMissingCollection(error)) return []
    throw error
  }
}

/** Whether an index covers every document, compares plainly, and is unique if it has to be. */
function serves(found: Found, { key, unique }: Index): boolean {
  const isWhole = !found.sparse && found.partialFilterExpression === undefined
  const isPlain = found.collation === undefined || found.collation.locale === 'simple'
  return isSameKey(found.key, key) && isWhole && isPlain && (!unique || found.unique === true)
}

/** Whether two keys have the same fields in the same order; only ascending ones are ours. */
const isSameKey = (a: Readonly<Record<string, unknown>>, b: Key): boolean => {
  const [fields, wantedFields] = [Object.entries(a), Object.keys(b)]
  return (
    fields.length === wantedFields.length &&
    fields.every(([field, way], i) => field === wantedFields[i] && Number(way) === 1)
  )
}
