/** `mneme/sqlite`: the embedded store, on Node's own SQLite. */
export type { SqliteOptions } from './options.ts'
export { sqlite } from './sqlite.ts'
