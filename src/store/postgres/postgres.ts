/**
 * The store for production: PostgreSQL, by the driver `pg`. Any number of processes may use a schema at once.
 *
 * Durable before acknowledged, one round trip and one sync a batch, positions without gaps in the order in which they
 * become visible. Left out: sharding the log over several heads, and anything that needs a session to stay one's own.
 */
import { checkedFactory } from '../checked-store.ts'
import type { StoreFactory } from '../store.ts'
import type { PostgresConfig, PostgresPool } from './database/driver.ts'
import { type PostgresOptions, settingsOf } from './options.ts'
import { PostgresStore } from './postgres-store.ts'

/**
 * A store in a schema of a PostgreSQL database, whose tables are made if there are none. An open store that is idle
 * does not keep the process alive.
 *
 *     await using bank = await Bank.start({ store: postgres('postgres://localhost/bank') })
 *
 * @param connection a URL, options for a connection (TLS among them), or a `Pool` of `pg`, which stays the caller's to
 *   end
 * @throws DefinitionError `OPTION_INVALID`
 */
export function postgres(
  connection: string | PostgresConfig | PostgresPool,
  options: PostgresOptions = {},
): StoreFactory {
  const settings = settingsOf(connection, options)
  return checkedFactory({ name: 'postgres', open: (openOptions) => PostgresStore.open(settings, openOptions) })
}
