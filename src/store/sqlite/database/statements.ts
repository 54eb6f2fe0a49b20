/**
 * Every statement that the store runs on the tables of one prefix, in one place. A test asks SQLite how it would run
 * each, because none may read a whole table.
 *
 * Tidy: inferred exports because the names of the statements are types that the sets of prepared ones are made from.
 */

const labels = 'position, sequence, kind, recorded_at, checksum, commit_id'
/** The columns of an event, and of a commit's first event. */
const event = `${labels}, data, metadata, tags, stream`
const first = `${event}, commit_size, command, command_digest, commit_checksum`

/**
 * How rows of events are read: with all their JSON, or without the JSON of large rows. In that case the first parameter
 * says from which size on rows are large.
 */
export type Weight = 'whole' | 'light'

function eventsIn(prefix: string, weight: Weight): string {
  const json = ['data', 'metadata', 'tags']
  if (weight === 'whole') return `SELECT ${labels}, ${json} FROM ${prefix}events`
  const size = json.map((column) => `ifnull(octet_length(${column}), 0)`).join(' + ')
  const columns = json.map((column) => `CASE WHEN small THEN ${column} END`)
  return `SELECT ${labels}, ${columns} FROM (SELECT *, ${size} < ? AS small FROM ${prefix}events)`
}

/** The statements that read many events at a time. */
const batchesIn = (prefix: string, weight: Weight) => {
  const ofStream = eventsIn(prefix, weight)
  const events = ofStream.replace(' FROM ', ', stream FROM ')
  return {
    streamForward: `${ofStream} WHERE stream = ? AND sequence >= ? AND sequence < ? ORDER BY sequence LIMIT ?`,
    streamBackward: `${ofStream} WHERE stream = ? AND sequence >= ? AND sequence < ? ORDER BY sequence DESC LIMIT ?`,
    allForward: `${events} WHERE position >= ? AND position < ? ORDER BY position LIMIT ?`,
    allBackward: `${events} WHERE position >= ? AND position < ? ORDER BY position DESC LIMIT ?`,
    // The plus keeps SQLite from using the index over kinds. These statements look at a few rows in order, of any kind.
    kindsForward: `${events} WHERE position >= ? AND position < ? AND +kind IN (SELECT value FROM json_each(?))
      ORDER BY position LIMIT ?`,
    kindsBackward: `${events} WHERE position >= ? AND position < ? AND +kind IN (SELECT value FROM json_each(?))
      ORDER BY position DESC LIMIT ?`,
  }
}

export const lightIn = (prefix: string) => batchesIn(prefix, 'light')

export type BatchName = keyof ReturnType<typeof lightIn>

const streamIdsBy = (prefix: string, index: string) => `SELECT id FROM ${prefix}streams INDEXED BY ${index}
  WHERE aggregate = ? AND id > ? ORDER BY id LIMIT ?`
const kindsBy = (prefix: string, index: string) => `SELECT position FROM ${prefix}events INDEXED BY ${prefix}${index}
  WHERE kind = ? AND position >= ? AND position < ? ORDER BY position`
const tagsBy = (prefix: string, index: string) => `SELECT position FROM ${prefix}event_tags INDEXED BY ${index}
  WHERE tag = ? AND position >= ? AND position < ? ORDER BY position`
const commitBy = (prefix: string, index: string, columns: string) =>
  `SELECT ${columns} FROM ${prefix}events INDEXED BY ${prefix}${index}
    WHERE stream = ? AND commit_id = ? AND commit_size IS NOT NULL`

/** The statements of both threads for the second indexes, if they exist. */
export const twiceIn = (prefix: string) => ({
  kindForward: `${kindsBy(prefix, 'events_by_kind_again')} LIMIT ?`,
  kindBackward: `${kindsBy(prefix, 'events_by_kind_again')} DESC LIMIT ?`,
  tagForward: `${tagsBy(prefix, `${prefix}event_tags_again`)} LIMIT ?`,
  tagBackward: `${tagsBy(prefix, `${prefix}event_tags_again`)} DESC LIMIT ?`,
  commit: commitBy(prefix, 'events_by_commit_again', 'position'),
})

export type TwiceName = keyof ReturnType<typeof twiceIn>

/** The statements of the caller's thread. */
export const readingIn = (prefix: string) => ({
  ...batchesIn(prefix, 'whole'),
  head: `SELECT (SELECT max(position) FROM ${prefix}events), head, size_max, kinds FROM ${prefix}log WHERE id = 1`,
  stream: `SELECT number, sequence, checksum, size_max, own_checksum
    FROM ${prefix}streams INDEXED BY sqlite_autoindex_${prefix}streams_1 WHERE aggregate = ? AND id = ?`,
  streamAgain: `SELECT number FROM ${prefix}streams INDEXED BY ${prefix}streams_again WHERE aggregate = ? AND id = ?`,
  streamId: `SELECT aggregate, id FROM ${prefix}streams WHERE number = ?`,
  kindsBehind: `SELECT number, aggregate, type, revision, checksum FROM ${prefix}kinds WHERE number > ? ORDER BY number`,
  count: `SELECT count(*) FROM ${prefix}events WHERE position >= ? AND position < ?`,
  checksum: `SELECT checksum FROM ${prefix}events WHERE position = ?`,
  one: `SELECT ${event} FROM ${prefix}events WHERE position = ?`,
  countOfKinds: `SELECT count(*) FROM ${prefix}events INDEXED BY ${prefix}events_by_kind
    WHERE kind IN (SELECT value FROM json_each(?)) AND position >= ? AND position < ?`,
  kindForward: `${kindsBy(prefix, 'events_by_kind')} LIMIT ?`,
  kindBackward: `${kindsBy(prefix, 'events_by_kind')} DESC LIMIT ?`,
  tagForward: `${tagsBy(prefix, `sqlite_autoindex_${prefix}event_tags_1`)} LIMIT ?`,
  tagBackward: `${tagsBy(prefix, `sqlite_autoindex_${prefix}event_tags_1`)} DESC LIMIT ?`,
  commit: commitBy(prefix, 'events_by_commit', first),
  streamIds: streamIdsBy(prefix, `sqlite_autoindex_${prefix}streams_1`),
  streamIdsAgain: streamIdsBy(prefix, `${prefix}streams_again`),
  snapshot: `SELECT sequence, state_revision, event_checksum, fingerprint, taken_at, state, checksum
    FROM ${prefix}snapshots
    WHERE aggregate = ? AND id = ? AND sequence <= ? ORDER BY sequence DESC LIMIT 1`,
  checkpoint: `SELECT checkpoint, term, note, checksum FROM ${prefix}projections WHERE name = ?`,
  row: `SELECT value, checksum FROM ${prefix}projection_rows WHERE projection = ? AND key = ?`,
})

export type ReadingName = keyof ReturnType<typeof readingIn>

/** The tests of a row that SQLite runs, with their parameters in this order. */
const rowTests = {
  /** A path and a list in JSON. */
  oneOf: 'json_extract(value, ?) IN (SELECT value FROM json_each(?))',
  /** A path, the bounds, the path again. A text is above every number. */
  bounds: "(json_extract(value, ?) BETWEEN ? AND ? OR json_type(value, ?) = 'object')",
} as const

export type RowTest = keyof typeof rowTests

const rowsFrom = (behind: boolean) => `projection = ? AND key ${behind ? '>' : '>='} ?`

/** Rows up to a key that pass all of the tests. */
export const rowsText = (prefix: string, behind: boolean, tests: readonly RowTest[]) =>
  `SELECT key, value, checksum FROM ${prefix}projection_rows
    WHERE ${[rowsFrom(behind), 'key <= ?', ...tests.map((test) => rowTests[test])].join(' AND ')} ORDER BY key LIMIT ?`

/** The keys before one, with the sizes of the rows, for which these need not be read. */
export const rowSizesText = (prefix: string, behind: boolean) =>
  `SELECT key, octet_length(value) FROM ${prefix}projection_rows
    WHERE ${rowsFrom(behind)} AND key < ? ORDER BY key LIMIT ?`

/** The statements that check a whole file when it is opened. */
export const checkingIn = (prefix: string) => ({
  streams: `SELECT aggregate, id, number, sequence, checksum, size_max, own_checksum FROM ${prefix}streams`,
  events: `SELECT ${event} FROM ${prefix}events WHERE position > ? ORDER BY position LIMIT ?`,
  // The opposite case is noticed when the event is read.
  untagged: `SELECT e.position FROM ${prefix}events e, json_each(e.tags) t
    WHERE NOT EXISTS (SELECT 1 FROM ${prefix}event_tags x WHERE x.tag = t.value AND x.position = e.position) LIMIT 1`,
})

/** The statements of the writer's thread. */
export const writingIn = (prefix: string) => {
  const { head, stream, streamAgain, one, commit, checkpoint } = readingIn(prefix)
  return {
    head,
    stream,
    streamAgain,
    one,
    commit,
    checkpoint,
    saveHead: `UPDATE ${prefix}log SET head = ?, size_max = ?, kinds = ? WHERE id = 1`,
    lastStream: `SELECT max(number) FROM ${prefix}streams`,
    lastSequence: `SELECT max(sequence) FROM ${prefix}events WHERE stream = ?`,
    kindNumber: `SELECT number FROM ${prefix}kinds WHERE aggregate = ? AND type = ? AND revision = ?`,
    kind: `SELECT type, revision FROM ${prefix}kinds WHERE number = ?`,
    addStream: `INSERT INTO ${prefix}streams 
    (number, aggregate, id, sequence, checksum, size_max, own_checksum) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    saveStream: `UPDATE ${prefix}streams SET sequence = ?, checksum = ?, size_max = ?, own_checksum = ? WHERE number = ?`,
    addKind: `INSERT INTO ${prefix}kinds (number, aggregate, type, revision, checksum)
    VALUES (?, ?, ?, ?, ?)`,
    addEvent: `INSERT INTO ${prefix}events
    (${first}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    addTag: `INSERT INTO ${prefix}event_tags (tag, position) VALUES (?, ?)`,
    saveSnapshot: `INSERT OR REPLACE INTO ${prefix}snapshots
    (aggregate, id, sequence, state_revision, event_checksum, fingerprint, taken_at, state, checksum)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    // No numbered parameters: Node 22 cannot bind them by position.
    dropSnapshots: `DELETE FROM ${prefix}snapshots WHERE aggregate = ? AND id = ? AND sequence <= (
    SELECT sequence FROM ${prefix}snapshots WHERE aggregate = ? AND id = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?)`,
    saveCheckpoint: `INSERT INTO ${prefix}projections (name, checkpoint, term, note, checksum) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET checkpoint = excluded.checkpoint, term = excluded.term, note = excluded.note,
      checksum = excluded.checksum`,
    saveRow: `INSERT INTO ${prefix}projection_rows (projection, key, value, checksum) VALUES (?, ?, ?, ?)
    ON CONFLICT (projection, key) DO UPDATE SET value = excluded.value, checksum = excluded.checksum`,
    dropRow: `DELETE FROM ${prefix}projection_rows WHERE projection = ? AND key = ?`,
    dropRows: `DELETE FROM ${prefix}projection_rows WHERE projection = ?`,
    dropProjection: `DELETE FROM ${prefix}projections WHERE name = ?`,
    lease: `SELECT owner, expires_at, duration_ms FROM ${prefix}leases WHERE name = ?`,
    saveLease: `INSERT OR REPLACE INTO ${prefix}leases (name, owner, expires_at, duration_ms) VALUES (?, ?, ?, ?)`,
    dropLease: `DELETE FROM ${prefix}leases WHERE name = ? AND owner = ?`,
    isReserved: `SELECT 1 FROM ${prefix}reservations WHERE expires_at > 0 LIMIT 1`,
    reservation: `SELECT writer, expires_at FROM ${prefix}reservations WHERE aggregate = ? AND id = ?`,
    saveReservation: `INSERT OR REPLACE INTO ${prefix}reservations (aggregate, id, writer, expires_at) VALUES (?, ?, ?, ?)`,
    dropReservationsUntil: `DELETE FROM ${prefix}reservations WHERE expires_at <= ?`,
    dropReservation: `DELETE FROM ${prefix}reservations WHERE aggregate = ? AND id = ?`,
  }
}

export type WritingName = keyof ReturnType<typeof writingIn>
