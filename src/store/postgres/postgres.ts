/**
 * The store in PostgreSQL, through the driver `pg`. Any number of processes may use a schema at once.
 *
 * An append is durable before it is acknowledged. A batch costs one round trip and one sync. Positions have no gaps,
 * and become visible in order. Left out: sharding of the log, and everything that needs a session of its own.
 */
import { checkedFactory } from '../checked-store.ts'
import type { StoreFactory } from '../store.ts'
import type { PostgresConfig, PostgresPool } from './database/driver.ts'
import { type PostgresOptions, settingsOf } from './options.ts'
import { PostgresStore } from './postgres-store.ts'

/**
 * A store in a schema of a PostgreSQL database. It makes its tables if there are none. An open store that is idle does
 * not keep the process alive.
 *
 *     await using bank = await Bank.start({ store: postgres('postgres://localhost/bank') })
 *
 * @param connection a URL, options for a connection (with TLS), or a `Pool` of `pg`, which the caller has to end
 * @throws DefinitionError `OPTION_INVALID`
 */
export function postgres(
  connection: string | PostgresConfig | PostgresPool,
  options: PostgresOptions = {},
): StoreFactory {
  const settings = settingsOf(connection, options)
  return checkedFactory({ name: 'postgres', open: (openOptions) => PostgresStore.open(settings, openOptions) })
}
