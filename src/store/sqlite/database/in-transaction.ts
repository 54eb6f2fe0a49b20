/** A transaction around several reads. */
import type { DatabaseSync } from 'node:sqlite'

/** Runs reads that see the same state of the database. */
export function inTransaction<Found>(database: DatabaseSync, read: () => Found): Found {
  database.exec('BEGIN')
  try {
    return read()
  } finally {
    database.exec('COMMIT')
  }
}
