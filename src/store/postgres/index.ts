/** The store in PostgreSQL. */
export type { PostgresClient, PostgresConfig, PostgresPool } from './driver.ts'
export { migrationSql } from './migration.ts'
export type { PostgresOptions } from './options.ts'
export { postgres } from './postgres.ts'
