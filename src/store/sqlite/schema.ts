/**
 * The tables, for people as well as for the store: `SELECT * FROM event_log` reads like the log.
 *
 * - A stream and a pair of aggregate and event type (a kind) have a number, so that a row of the log stays small. What
 *   was numbered once is never renumbered or removed: readers may keep it.
 * - `commit_size` is set on a commit's first event only. The partial index over those rows makes a commit id unique in
 *   its stream, costs one entry a commit, and finds the whole commit.
 * - Triggers keep everybody, a person at a prompt included, from changing or deleting what happened. They cannot stop
 *   someone who drops them, or who writes REPLACE without `PRAGMA recursive_triggers`.
 */
import type { DatabaseSync } from 'node:sqlite'
import { Failure } from './failure.ts'

/** The version of these tables. A program refuses a file with a higher one. */
const schemaVersion = 1
/** The version of what is in the columns that hold JSON. */
const formatVersion = 1

const tables = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE streams (
  number INTEGER PRIMARY KEY,
  aggregate TEXT NOT NULL,
  id TEXT NOT NULL,
  UNIQUE (aggregate, id)
) STRICT;
CREATE TABLE kinds (
  number INTEGER PRIMARY KEY,
  aggregate TEXT NOT NULL,
  type TEXT NOT NULL,
  UNIQUE (aggregate, type)
) STRICT;
CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL REFERENCES streams (number),
  sequence INTEGER NOT NULL,
  kind INTEGER NOT NULL REFERENCES kinds (number),
  revision INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  commit_id TEXT NOT NULL,
  commit_size INTEGER,
  data TEXT NOT NULL,
  metadata TEXT NOT NULL,
  tags TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_stream ON events (stream, sequence);
CREATE UNIQUE INDEX events_by_commit ON events (stream, commit_id) WHERE commit_size IS NOT NULL;
CREATE INDEX events_by_kind ON events (kind);
CREATE TABLE event_tags (
  tag TEXT NOT NULL,
  position INTEGER NOT NULL REFERENCES events (position),
  PRIMARY KEY (tag, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE snapshots (
  aggregate TEXT NOT NULL,
  id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  state_revision INTEGER NOT NULL,
  taken_at INTEGER NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (aggregate, id, sequence)
) STRICT;
CREATE TABLE projections (name TEXT PRIMARY KEY, checkpoint INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE projection_rows (
  projection TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (projection, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE VIEW event_log AS
  SELECT e.position, s.aggregate, s.id, e.sequence, k.type, e.revision, e.data, e.metadata, e.tags,
    strftime('%Y-%m-%dT%H:%M:%fZ', e.recorded_at / 1000.0, 'unixepoch') AS recorded_at, e.commit_id
  FROM events e JOIN streams s ON s.number = e.stream JOIN kinds k ON k.number = e.kind;
`

const guarded = ['events', 'event_tags', 'streams', 'kinds'] as const

const triggers = guarded.flatMap((table) =>
  ['UPDATE', 'DELETE'].map(
    (change) =>
      `CREATE TRIGGER ${table}_forbid_${change.toLowerCase()} BEFORE ${change} ON ${table}
       BEGIN SELECT RAISE(ABORT, 'what happened is never changed or deleted'); END;`,
  ),
)

const ddl = `${tables}${triggers.join('\n')}`

/** The names of all that must be there. */
export const objects: readonly string[] = [
  ...ddl.matchAll(/CREATE (?:UNIQUE )?(?:TABLE|INDEX|TRIGGER|VIEW) (\w+)/g),
].map((match) => match[1]!)

export const tableNames: readonly string[] = [...ddl.matchAll(/CREATE TABLE (\w+)/g)].map((match) => match[1]!)

/**
 * Makes the tables where there are none, and otherwise checks that they are all there and of a version that this program
 * knows. The caller has begun a transaction that writes, so of several processes only one makes them.
 *
 * @throws Failure
 */
export function makeOrCheckSchema(database: DatabaseSync): void {
  const found = existing(database)
  if (found.size === 0) {
    database.exec(ddl)
    const insert = database.prepare('INSERT INTO meta (name, value) VALUES (?, ?)')
    insert.run('schema_version', BigInt(schemaVersion))
    insert.run('format_version', BigInt(formatVersion))
  } else checkSchema(database, found)
}

/** Whether the tables are there and need no making: then opening needs no write. */
export function hasSchema(database: DatabaseSync): boolean {
  const found = existing(database)
  if (found.size === 0) return false
  checkSchema(database, found)
  return true
}

function existing(database: DatabaseSync): ReadonlySet<string> {
  const rows = database.prepare('SELECT name FROM sqlite_schema').all() as unknown as { readonly name: string }[]
  const names = new Set(rows.map(({ name }) => name))
  return new Set(objects.filter((name) => names.has(name)))
}

function checkSchema(database: DatabaseSync, found: ReadonlySet<string>): void {
  if (found.has('meta')) {
    for (const [name, known] of [
      ['schema_version', schemaVersion],
      ['format_version', formatVersion],
    ] as const) {
      const row = database.prepare('SELECT value FROM meta WHERE name = ?').get(name)
      const version = Number(row?.['value'] ?? Number.NaN)
      if (version > known) throw new Failure({ kind: 'too new', version, known })
      if (version !== known) throw new Failure({ kind: 'damaged', where: 'meta', reason: `it has no ${name}` })
    }
  }
  const missing = objects.filter((name) => !found.has(name))
  if (missing.length > 0) {
    const reason = `missing: ${missing.join(', ')} (or the file belongs to another program)`
    throw new Failure({ kind: 'damaged', where: 'its schema', reason })
  }
}
