/**
 * The SQLite store's floor: its own rows, inserted by prepared statements into the same schema (made by opening a
 * store), in transactions of the same size, with the same durability. One thread, nothing else to do.
 */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { sqlite } from '../../src/store/sqlite/index.ts'
import type { Place } from '../setting.ts'
import { type Replayed, timed } from './timed.ts'

type Values = readonly SQLInputValue[]

const columns = `position, sequence, kind, recorded_at, checksum, commit_id, data, metadata, tags, stream,
  commit_size, command, command_digest, commit_checksum`
const [streamAt, commitSizeAt] = [9, 10]

/** Makes an empty store at a path; the floor's own connection comes after it. */
export async function makeSchema(path: string): Promise<void> {
  const store = await sqlite(path).open({ warn: () => {}, now: Date.now })
  await store.close()
}

/** A connection with the store's settings. */
export function connect(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: false })
  database.exec(`PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
    PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768;`)
  return database
}

/** Inserts the measured part of a closed store again, into the schema that was made beside it. */
export async function replayRows(place: Place): Promise<Replayed> {
  await makeSchema(`${place.path}-floor`)
  const source = new DatabaseSync(place.path, { readOnly: true })
  const rowsOf = (sql: string): readonly Values[] => {
    const statement = source.prepare(sql)
    statement.setReturnArrays(true)
    return statement.all() as unknown as readonly Values[]
  }
  const streams = rowsOf(
    'SELECT number, aggregate, id, sequence, checksum, size_max, own_checksum FROM streams ORDER BY number',
  )
  const kinds = rowsOf('SELECT number, aggregate, type, revision, checksum FROM kinds ORDER BY number')
  const events = rowsOf(`SELECT ${columns} FROM events ORDER BY position`)
  source.close()
  const database = connect(`${place.path}-floor`)
  const insertStream = database.prepare(
    'INSERT INTO streams (number, aggregate, id, sequence, checksum, size_max, own_checksum) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  const insertEvent = database.prepare(`INSERT INTO events (${columns}) 
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  let streamNext = 0
  let eventNext = 0
  const insertCommits = (commits: number) => {
    database.exec('BEGIN IMMEDIATE')
    for (let left = commits; left > 0 && eventNext < events.length; left--) {
      const count = events[eventNext]![commitSizeAt] as number
      for (const end = eventNext + count; eventNext < end; eventNext++) {
        const event = events[eventNext]!
        while (streamNext < (event[streamAt] as number)) insertStream.run(...streams[streamNext++]!)
        insertEvent.run(...event)
      }
    }
    database.exec('COMMIT')
  }
  const insertKind = database.prepare(
    'INSERT INTO kinds (number, aggregate, type, revision, checksum) VALUES (?, ?, ?, ?, ?)',
  )
  for (const kind of kinds) insertKind.run(...kind)
  insertCommits(place.commitsBefore())
  const replayed = await timed('the same rows: prepared inserts, transactions of the same size', place, (index) =>
    insertCommits(place.batches[index]!.commits),
  )
  database.close()
  if (eventNext !== events.length) {
    throw new Error(`The log has ${events.length} events, but the batches that were seen have ${eventNext}`)
  }
  return replayed
}
