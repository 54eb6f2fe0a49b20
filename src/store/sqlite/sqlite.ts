/**
 * The embedded default: one file, Node's own SQLite, nothing to install. Several processes may use the file at once.
 *
 * Durable before acknowledged (write-ahead log, `synchronous = FULL`, one sync a transaction), and written on a thread
 * of its own, so that a sync holds up no event loop.
 *
 * `transact` lets a projection keep tables of its own in the file, exactly once: one statement a query, with `?` for
 * values (`sql-values.ts` says what becomes of them). Everybody else's writes wait for it, in every process, so it has
 * a limit of time. What a transaction may not do is end itself, use PRAGMA, ATTACH or TEMP, or change the store's own
 * tables, which may be read. Foreign keys are not enforced, as is SQLite's default.
 *
 * Left out: databases in memory (use `memory()`), and waking up for what other processes append (poll).
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
