/**
 * What the cases about transactions share: a projection with its own table, and statements that every database accepts.
 * They have no parameters, and only the types INTEGER and TEXT.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Checkpoint, SqlTransaction, Store } from '../../store/store.ts'
import { at } from '../checkpoint-at.ts'
import type { ConformanceCase, ConformanceKit } from './kit.ts'

type Transact = NonNullable<Store['transact']>
type Work = Parameters<Transact>[2]

/** What a case gets besides the kit: a projection with its own empty table, and functions to use them. */
interface Tables extends ConformanceKit {
  readonly of: string
  readonly table: string
  /** Calls `store.transact` for that projection. */
  readonly transact: (from: number, work: Work) => Promise<void>
  /** The rows of the table, such as `1 a`, ordered by id. */
  readonly notes: () => Promise<readonly string[]>
}

export const transactOn = (store: Store): Transact => {
  assert.ok(store.transact, 'the store has transact')
  return store.transact.bind(store)
}

/** A name for a table that is unique, also among other runs on the same database. */
export const tableName = (name: ConformanceKit['name']): string =>
  `${name('notes').replaceAll(/[^a-z0-9_]/g, '_')}_${randomUUID().slice(0, 8)}`

export const create = (table: string): string => `CREATE TABLE ${table} (id INTEGER PRIMARY KEY, note TEXT)`
export const insert = (table: string, id: number, note: string): string =>
  `INSERT INTO ${table} VALUES (${id}, '${note}')`

export async function read(sql: SqlTransaction, table: string): Promise<readonly string[]> {
  const rows = await sql.query<{ readonly id: number; readonly note: string }>(
    `SELECT id, note FROM ${table} ORDER BY id`,
  )
  return rows.map(({ id, note }) => `${id} ${note}`)
}

/** A case about a projection with a table. */
export const withTable =
  (run: (tables: Tables) => Promise<void>): ConformanceCase =>
  async (kit) => {
    const { store, name } = kit
    const [of, maker, reader, table] = [name(), name(), name(), tableName(name)]
    const transact = transactOn(store)
    await transact(maker, at(0), async (sql) => {
      await sql.query(create(table))
      return { to: at(0), rows: [] }
    })
    const notes = async () => {
      let found: readonly string[] = []
      await transact(reader, at(0), async (transaction) => {
        found = await read(transaction, table)
        return { to: at(0), rows: [] }
      })
      return found
    }
    // Not a copy of the kit: that would call its getters too early.
    const own = { of, table, notes, transact: (from: number, work: Work) => transact(of, at(from), work) }
    await run(Object.assign(Object.create(kit), own) as Tables)
  }

/** A step without rows, which moves the checkpoint to 1. */
export const done: { readonly to: Checkpoint; readonly rows: readonly [] } = { to: at(1), rows: [] }
