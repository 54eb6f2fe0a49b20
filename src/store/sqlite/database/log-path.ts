/**
 * Where SQLite keeps the write-ahead log of a database. If the path of the database is a symbolic link, the log lies
 * beside the file itself, not beside the link.
 */
import { realpathSync } from 'node:fs'

/** @param path the path of the database; if there is no file yet, there is no log either */
export function logPathOf(path: string): string {
  return `${fileAt(path)}-wal`
}

function fileAt(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
