/**
 * Every statement that the store runs on tables of one prefix, in one place, so that a test can ask SQLite how it would run each: none may read
 * a whole table.
 *
 * Tidy: inferred exports because the names of the statements are types that the sets of prepared ones are made from.
 */

const event = 'position, stream, sequence, kind, revision, recorded_at, commit_id, data, metadata, tags'

/** What the caller's thread runs. */
export const readingIn = (prefix: string) => ({
  head: `SELECT max(position) FROM ${prefix}events`,
  streamNumber: `SELECT number FROM ${prefix}streams WHERE aggregate = ? AND id = ?`,
  streamId: `SELECT aggregate, id FROM ${prefix}streams WHERE number = ?`,
  kindsBehind: `SELECT number, aggregate, type FROM ${prefix}kinds WHERE number > ? ORDER BY number`,
  streamForward: `SELECT ${event} FROM ${prefix}events WHERE stream = ? AND sequence >= ? AND sequence < ?
    ORDER BY sequence LIMIT ?`,
  streamBackward: `SELECT ${event} FROM ${prefix}events WHERE stream = ? AND sequence >= ? AND sequence < ?
    ORDER BY sequence DESC LIMIT ?`,
  allForward: `SELECT ${event} FROM ${prefix}events WHERE position >= ? AND position < ? ORDER BY position LIMIT ?`,
  allBackward: `SELECT ${event} FROM ${prefix}events WHERE position >= ? AND position < ? ORDER BY position DESC LIMIT ?`,
  // The plus keeps SQLite from the index over kinds: these look at a few rows in order, whatever their kinds are.
  kindsForward: `SELECT ${event} FROM ${prefix}events
    WHERE position >= ? AND position < ? AND +kind IN (SELECT value FROM json_each(?)) ORDER BY position LIMIT ?`,
  kindsBackward: `SELECT ${event} FROM ${prefix}events
    WHERE position >= ? AND position < ? AND +kind IN (SELECT value FROM json_each(?)) ORDER BY position DESC LIMIT ?`,
  one: `SELECT ${event} FROM ${prefix}events WHERE position = ?`,
  kindForward: `SELECT position FROM ${prefix}events WHERE kind = ? AND position >= ? AND position < ?
    ORDER BY position LIMIT ?`,
  kindBackward: `SELECT position FROM ${prefix}events WHERE kind = ? AND position >= ? AND position < ?
    ORDER BY position DESC LIMIT ?`,
  tagForward: `SELECT position FROM ${prefix}event_tags WHERE tag = ? AND position >= ? AND position < ?
    ORDER BY position LIMIT ?`,
  tagBackward: `SELECT position FROM ${prefix}event_tags WHERE tag = ? AND position >= ? AND position < ?
    ORDER BY position DESC LIMIT ?`,
  commit: `SELECT sequence, position, commit_size FROM ${prefix}events
    WHERE stream = ? AND commit_id = ? AND commit_size IS NOT NULL`,
  snapshot: `SELECT sequence, state_revision, taken_at, state FROM ${prefix}snapshots
    WHERE aggregate = ? AND id = ? AND sequence <= ? ORDER BY sequence DESC LIMIT 1`,
  checkpoint: `SELECT checkpoint FROM ${prefix}projections WHERE name = ?`,
  row: `SELECT value FROM ${prefix}projection_rows WHERE projection = ? AND key = ?`,
})

export type ReadingName = keyof ReturnType<typeof readingIn>

/** The kinds of conditions on a row that are put to SQLite, each with its parameters in this order. */
const rowTests = {
  /** A path and a list in JSON. */
  oneOf: 'json_extract(value, ?) IN (SELECT value FROM json_each(?))',
  /** A path, the bounds, the path again. A text is above every number. */
  bounds: "(json_extract(value, ?) BETWEEN ? AND ? OR json_type(value, ?) = 'object')",
} as const

export type RowTest = keyof typeof rowTests

const rowRange = (behind: boolean) => `projection = ? AND key ${behind ? '>' : '>='} ? AND key < ?`

/** Rows in a range of keys that pass all of the tests. */
export const rowsText = (prefix: string, behind: boolean, tests: readonly RowTest[]) =>
  `SELECT key, value FROM ${prefix}projection_rows
    WHERE ${[rowRange(behind), ...tests.map((test) => rowTests[test])].join(' AND ')} ORDER BY key LIMIT ?`

/** The key behind so many in a range. */
export const rowsUpTo = (prefix: string, behind: boolean) =>
  `SELECT key FROM ${prefix}projection_rows WHERE ${rowRange(behind)} ORDER BY key LIMIT 1 OFFSET ?`

/** What the writer's thread runs. */
export const writingIn = (prefix: string) => {
  const { head, streamNumber, commit, checkpoint } = readingIn(prefix)
  return {
    ...{ head, streamNumber, commit, checkpoint },
    streamSequence: `SELECT max(sequence) FROM ${prefix}events WHERE stream = ?`,
    kindNumber: `SELECT number FROM ${prefix}kinds WHERE aggregate = ? AND type = ?`,
    addStream: `INSERT INTO ${prefix}streams (aggregate, id) VALUES (?, ?)`,
    addKind: `INSERT INTO ${prefix}kinds (aggregate, type) VALUES (?, ?)`,
    addEvent: `INSERT INTO ${prefix}events
    (position, stream, sequence, kind, revision, recorded_at, commit_id, commit_size, data, metadata, tags)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    addTag: `INSERT INTO ${prefix}event_tags (tag, position) VALUES (?, ?)`,
    saveSnapshot: `INSERT OR REPLACE INTO ${prefix}snapshots (aggregate, id, sequence, state_revision, taken_at, state)
    VALUES (?, ?, ?, ?, ?, ?)`,
    // No numbered parameters: Node 22 cannot bind them by position.
    dropSnapshots: `DELETE FROM ${prefix}snapshots WHERE aggregate = ? AND id = ? AND sequence <= (
    SELECT sequence FROM ${prefix}snapshots WHERE aggregate = ? AND id = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?)`,
    saveCheckpoint: `INSERT INTO ${prefix}projections (name, checkpoint) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET checkpoint = excluded.checkpoint`,
    saveRow: `INSERT INTO ${prefix}projection_rows (projection, key, value) VALUES (?, ?, ?)
    ON CONFLICT (projection, key) DO UPDATE SET value = excluded.value`,
    dropRow: `DELETE FROM ${prefix}projection_rows WHERE projection = ? AND key = ?`,
    dropRows: `DELETE FROM ${prefix}projection_rows WHERE projection = ?`,
    dropProjection: `DELETE FROM ${prefix}projections WHERE name = ?`,
    lease: `SELECT owner, expires_at FROM ${prefix}leases WHERE name = ?`,
    saveLease: `INSERT OR REPLACE INTO ${prefix}leases (name, owner, expires_at) VALUES (?, ?, ?)`,
    dropLease: `DELETE FROM ${prefix}leases WHERE name = ? AND owner = ?`,
  }
}

export type WritingName = keyof ReturnType<typeof writingIn>
