/**
 * The tables, for people as well as for the store: `SELECT * FROM event_log` reads like the log. All names begin with
 * the prefix of the store, so other tables can be in the same file.
 *
 * - A stream has a number, and so has an aggregate's event type in a revision (a kind), so that a row of the log is
 *   small. A number is never changed or removed, so readers may keep it.
 * - A stream's row says where the stream ends (its last sequence, and the checksum of the event there), and `log` says
 *   where the log ends. Each reader therefore knows what it has to find, and notices what is missing. They also say how
 *   large events are, so that large ones are not read many at a time.
 * - `commit_size` and the command are set only on the first event of a commit. The partial index over these rows makes
 *   a commit id unique in its stream, costs one entry for each commit, and finds the whole commit. The id comes before
 *   the stream. Ids made by the library begin with the time, so the entries of a batch are side by side at the end of
 *   the index. Behind the stream, each would be on another page.
 * - What may be large is never beside the key of a search. Without a rowid, SQLite keeps a row in the tree of its key,
 *   and a search that passes a large row reads all of it, only to compare its key. So rows of projections have a rowid.
 * - If an index does not find something, it does not exist or the index has lost it. SQLite has no checksums that would
 *   show the difference. Streams therefore have two indexes, and something counts as missing only if both lack it.
 *   Commits, kinds and tags have two if the store is told to keep them (`keepIndexesTwice`), because that makes each
 *   write slower.
 * - Triggers prevent everybody from changing or deleting events, even a person at a prompt. They cannot stop a person
 *   who drops them, or who writes REPLACE without `PRAGMA recursive_triggers`.
 */
import type { DatabaseSync } from 'node:sqlite'
import { codes, Failure, isCode } from './failure.ts'
import { inTransaction } from './in-transaction.ts'

/** The version of these tables. A program refuses a file with another one. */
const schemaVersion = 4
/** The version of the format of the JSON in the columns. */
const formatVersion = 2

const logIn = (prefix: string): string => `
CREATE TABLE ${prefix}meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE ${prefix}log (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  head INTEGER NOT NULL,
  size_max INTEGER NOT NULL,
  kinds INTEGER NOT NULL
) STRICT;
CREATE TABLE ${prefix}streams (
  number INTEGER PRIMARY KEY,
  aggregate TEXT NOT NULL,
  id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  size_max INTEGER NOT NULL,
  own_checksum INTEGER NOT NULL,
  UNIQUE (aggregate, id)
) STRICT;
CREATE TABLE ${prefix}kinds (
  number INTEGER PRIMARY KEY,
  aggregate TEXT NOT NULL,
  type TEXT NOT NULL,
  revision INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  UNIQUE (aggregate, type, revision)
) STRICT;
CREATE TABLE ${prefix}events (
  position INTEGER PRIMARY KEY,
  sequence INTEGER NOT NULL,
  kind INTEGER NOT NULL REFERENCES ${prefix}kinds (number),
  recorded_at INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  commit_id TEXT NOT NULL,
  data TEXT NOT NULL,
  metadata TEXT,
  tags TEXT,
  stream INTEGER NOT NULL REFERENCES ${prefix}streams (number),
  commit_size INTEGER,
  command TEXT,
  command_digest INTEGER,
  commit_checksum INTEGER
) STRICT;
CREATE UNIQUE INDEX ${prefix}events_by_stream ON ${prefix}events (stream, sequence);
CREATE UNIQUE INDEX ${prefix}events_by_commit ON ${prefix}events (commit_id, stream) WHERE commit_size IS NOT NULL;
CREATE INDEX ${prefix}events_by_kind ON ${prefix}events (kind);
CREATE UNIQUE INDEX ${prefix}streams_again ON ${prefix}streams (aggregate, id);
CREATE TABLE ${prefix}event_tags (
  tag TEXT NOT NULL,
  position INTEGER NOT NULL REFERENCES ${prefix}events (position),
  PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;
`

const twiceIn = (prefix: string): string => `
CREATE UNIQUE INDEX ${prefix}events_by_commit_again ON ${prefix}events (commit_id, stream) WHERE commit_size IS NOT NULL;
CREATE INDEX ${prefix}events_by_kind_again ON ${prefix}events (kind);
CREATE INDEX ${prefix}event_tags_again ON ${prefix}event_tags (tag, position);
`

const documentsIn = (prefix: string): string => `
CREATE TABLE ${prefix}snapshots (
  aggregate TEXT NOT NULL,
  id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  state_revision INTEGER NOT NULL,
  event_checksum INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  taken_at INTEGER NOT NULL,
  state TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (aggregate, id, sequence)
) STRICT;
CREATE TABLE ${prefix}projections (
  name TEXT PRIMARY KEY,
  checkpoint INTEGER NOT NULL,
  term INTEGER NOT NULL,
  note TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE ${prefix}projection_rows (
  projection TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (projection, key)
) STRICT;
CREATE TABLE ${prefix}leases (
  name TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE ${prefix}reservations (
  aggregate TEXT NOT NULL,
  id TEXT NOT NULL,
  writer TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (aggregate, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX ${prefix}reservations_by_end ON ${prefix}reservations (expires_at);
`

const viewsIn = (prefix: string): string => `
CREATE VIEW ${prefix}event_log AS
  SELECT e.position, s.aggregate, s.id, e.sequence, k.type, k.revision, e.data,
    coalesce(e.metadata, '{}') AS metadata, coalesce(e.tags, '[]') AS tags,
    strftime('%Y-%m-%dT%H:%M:%fZ', e.recorded_at / 1000.0, 'unixepoch') AS recorded_at, e.commit_id
  FROM ${prefix}events e JOIN ${prefix}streams s ON s.number = e.stream JOIN ${prefix}kinds k ON k.number = e.kind;
`

const guarded = ['events', 'event_tags', 'streams', 'kinds'] as const

const triggersIn = (prefix: string): readonly string[] =>
  guarded.flatMap((name) =>
    ['UPDATE', 'DELETE'].map(
      (change) =>
        `CREATE TRIGGER ${prefix}${name}_forbid_${change.toLowerCase()}
         BEFORE ${change}${change === 'UPDATE' && name === 'streams' ? ' OF number, aggregate, id' : ''} ON ${prefix}${name}
         BEGIN SELECT RAISE(ABORT, 'what happened is never changed or deleted'); END;`,
    ),
  )

/** The schema of one prefix. */
export interface Schema {
  /** The statements that make it. */
  readonly ddl: string
  /** The names of all objects that must exist. */
  readonly objects: readonly string[]
  readonly tableNames: readonly string[]
  /** The table of versions. */
  readonly meta: string
  /** The table that says where the log ends. */
  readonly log: string
}

export function schemaIn(prefix: string): Schema {
  const ddl = `${logIn(prefix)}${documentsIn(prefix)}${viewsIn(prefix)}${triggersIn(prefix).join('\n')}`
  const namesOf = (made: RegExp) => [...ddl.matchAll(made)].map((match) => match[1]!)
  const objects = namesOf(/CREATE (?:UNIQUE )?(?:TABLE|INDEX|TRIGGER|VIEW) (\w+)/g)
  return { ddl, objects, tableNames: namesOf(/CREATE TABLE (\w+)/g), meta: `${prefix}meta`, log: `${prefix}log` }
}

/**
 * Makes the tables if there are none. Otherwise it checks that all exist and have a version that this program knows.
 * The caller has begun a transaction that writes, so of several processes only one makes them.
 *
 * @throws Failure
 */
export function makeOrCheckSchema(database: DatabaseSync, schema: Schema): void {
  const found = existing(database, schema)
  if (found.size === 0) {
    database.exec(schema.ddl)
    const insert = database.prepare(`INSERT INTO ${schema.meta} (name, value) VALUES (?, ?)`)
    insert.run('schema_version', BigInt(schemaVersion))
    insert.run('format_version', BigInt(formatVersion))
    database.exec(`INSERT INTO ${schema.log} (id, head, size_max, kinds) VALUES (1, 0, 0, 0)`)
  } else checkSchema(database, schema, found)
}

/**
 * Whether the tables exist, so that opening needs no write. Another process may make them at this moment, so all
 * questions are about one state of the file.
 */
export function hasSchema(database: DatabaseSync, schema: Schema): boolean {
  return inTransaction(database, () => {
    const found = existing(database, schema)
    if (found.size === 0) return false
    checkSchema(database, schema, found)
    return true
  })
}

/** Makes the second indexes if they are missing. The caller has begun a transaction that writes. */
export function keepIndexesTwice(database: DatabaseSync, prefix: string): void {
  if (!hasIndexesTwice(database, prefix)) database.exec(twiceIn(prefix))
}

/** Whether the indexes of commits, kinds and tags are kept twice in this file. */
export function hasIndexesTwice(database: DatabaseSync, prefix: string): boolean {
  const names = ['events_by_commit_again', 'events_by_kind_again', 'event_tags_again'].map(
    (name) => `'${prefix}${name}'`,
  )
  const row = database.prepare(`SELECT count(*) AS n FROM sqlite_schema WHERE type = 'index' AND name IN (${names})`)
  return Number(row.get()!['n']) === names.length
}

/** The existing objects with names of the store, in any case. */
function existing(database: DatabaseSync, { objects }: Schema): ReadonlySet<string> {
  const rows = database.prepare('SELECT name FROM sqlite_schema').all() as unknown as { readonly name: string }[]
  if (rows.length === 0) checkEmpty(database)
  const names = new Set(rows.map(({ name }) => name.toLowerCase()))
  return new Set(objects.filter((name) => names.has(name)))
}

/** Checks that a file without tables is empty. Otherwise its schema has lost what is in it. @throws Failure */
function checkEmpty(database: DatabaseSync): void {
  const numberOf = (pragma: string) => Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0])
  const used = numberOf('page_count') - numberOf('freelist_count')
  if (used <= 1) return
  throw new Failure({ kind: 'damaged', where: 'its schema', reason: `it has no table, and ${used} pages are in use` })
}

function checkSchema(database: DatabaseSync, schema: Schema, found: ReadonlySet<string>): void {
  const versions = versionsIn(database, schema)
  const missing = schema.objects.filter((name) => !found.has(name))
  // Tables without a version, and not even complete, were never made by a store.
  if (versions.size === 0 && missing.length > 0) throw new Failure({ kind: 'taken', names: [...found] })
  for (const [name, known] of [
    ['schema_version', schemaVersion],
    ['format_version', formatVersion],
  ] as const) {
    const version = versions.get(name)
    if (version === undefined) throw new Failure({ kind: 'damaged', where: schema.meta, reason: `it has no ${name}` })
    if (version > known) throw new Failure({ kind: 'too new', version, known })
    if (version >= 1 && version < known) throw new Failure({ kind: 'too old', version, known })
    if (version !== known) {
      throw new Failure({ kind: 'damaged', where: schema.meta, reason: `its ${name} is ${version}` })
    }
  }
  if (missing.length > 0) {
    throw new Failure({ kind: 'damaged', where: 'its schema', reason: `missing: ${missing.join(', ')}` })
  }
}

/** The versions in the file; none if there is no such table, or it belongs to another program. */
function versionsIn(database: DatabaseSync, { meta }: Schema): ReadonlyMap<string, number> {
  try {
    const rows = database.prepare(`SELECT name, value FROM ${meta} WHERE name IN ('schema_version', 'format_version')`)
    return new Map(rows.all().map((row) => [String(row['name']), Number(row['value'])]))
  } catch (error) {
    // The table or the column does not exist.
    if (isCode(error, codes.error)) return new Map()
    throw error
  }
}
