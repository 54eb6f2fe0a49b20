/** `mneme/sqlite`: the embedded store, on the SQLite that Node brings along. */
export type { SqliteOptions } from './options.ts'
export { sqlite } from './sqlite.ts'
