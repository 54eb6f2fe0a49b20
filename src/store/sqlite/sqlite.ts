/**
 * The embedded store: one file, Node's own SQLite, nothing to install. Several processes may use the file at once.
 *
 * An append is durable before it is acknowledged (write-ahead log, `synchronous = FULL`, one sync for each
 * transaction). Another thread writes, so a sync does not block the event loop.
 *
 * With `transact` a projection keeps tables of its own in the file, exactly once. Each query is one statement, with `?`
 * for values (`sql-values.ts` says how they are converted). All other writes wait for a transaction, in every process,
 * so it has a time limit. A transaction may not end itself, use PRAGMA, ATTACH or TEMP, or change the store's own
 * tables; it may read them. Foreign keys are not enforced, which is SQLite's default.
 *
 * Left out: databases in memory (use `memory()`), and waking up for appends of other processes (poll).
 */
import { checkedFactory } from '../checked-store.ts'
import type { StoreFactory } from '../store.ts'
import { type SqliteOptions, settingsOf } from './options.ts'
import { SqliteStore } from './sqlite-store.ts'

/**
 * A store in a SQLite file, which is made if it does not exist (its directory must). An open store that is idle does
 * not keep the process alive.
 *
 *     await using bank = await Bank.start({ store: sqlite('bank.db') })
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function sqlite(path: string, options: SqliteOptions = {}): StoreFactory {
  const settings = settingsOf(path, options)
  return checkedFactory({ name: 'sqlite', open: (openOptions) => SqliteStore.open(settings, openOptions) })
}
