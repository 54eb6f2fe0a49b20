/** The store in PostgreSQL. */
export type { PostgresClient, PostgresConfig, PostgresPool } from './database/driver.ts'
export { migrationSql } from './database/migration.ts'
export type { PostgresOptions } from './options.ts'
export { postgres } from './postgres.ts'
