/**
 * Makes the tables, updates them, and checks them when a store is opened. Every version is a step of plain SQL, so a
 * person can run the same SQL beforehand. If several processes start at once, one makes the tables and the others wait
 * for it. The lock belongs to the transaction and not to a session, so it works through a pooler.
 */

import { StoreError } from '../../../domain/error.ts'
import { checkKeys } from '../../../domain/options.ts'
import { checkSchema, type Settings } from '../options.ts'
import { appendFunctionIn, appendProcedureIn, judgeFunctionIn } from './append-function.ts'
import type { Database } from './database.ts'
import { damaged, storeNamed, unfit } from './failure.ts'
import { readFunctionsIn } from './read-functions.ts'
import { rowFunctionsIn } from './row-functions.ts'
import { listFunctionIn, streamFunctionsIn } from './stream-functions.ts'
import { quoted, tablesIn } from './tables.ts'
import { pinnedPlans, writingSetting } from './writing.ts'

/** The version of the format of the data in the columns. Other versions are refused. */
const formatVersion = 2

/** The version of the tables after the first step. */
const versionFirst = 2

/** The steps from one version to the next. The first step makes everything. */
const versions: readonly ((schema: string, channel: string) => string)[] = [
  (schema, channel) =>
    [
      tablesIn(schema),
      judgeFunctionIn(schema),
      appendFunctionIn(schema, channel),
      appendProcedureIn(schema),
      streamFunctionsIn(schema),
      readFunctionsIn(schema, pinnedPlans),
      rowFunctionsIn(schema),
      `INSERT INTO ${schema}.meta (name, value) VALUES ('schema_version', 0), ('format_version', ${formatVersion});\n`,
    ].join(''),
  listFunctionIn,
  // The function that takes lists which stand for equal values, or are absent.
  appendFunctionIn,
]

/** The newest version of the tables. A program refuses higher ones. */
export const schemaVersion: number = versionFirst + versions.length - 1

/** The channel for notifications of a schema. */
export const channelOf = (schema: string): string => `mneme ${schema}`

/**
 * The SQL that makes the tables, for a database in which only a person may make them, not the program. Run it once, as
 * the future owner of the tables. The program's own role needs `USAGE` of the schema, `SELECT`, `INSERT`, `UPDATE` and
 * `DELETE` on its tables, `USAGE` of its sequences and `EXECUTE` of its functions.
 *
 *     await writeFile('mneme.sql', migrationSql({ schema: 'shop' }))
 *
 * @param options `schema` as in the options of the store; `from` is the version of the existing tables, 0 (none) by
 *   default
 * @throws DefinitionError `OPTION_INVALID`
 */
export function migrationSql(options: { readonly schema?: string; readonly from?: number } = {}): string {
  checkKeys('migrationSql(options)', options, ['schema', 'from'])
  const { from = 0 } = options
  const schema = checkSchema(options.schema)
  if (!Number.isSafeInteger(from) || (from !== 0 && from < versionFirst) || from > schemaVersion) {
    throw unfit('from', `0, or a version from ${versionFirst} to ${schemaVersion}`, from)
  }
  const create = from === 0 ? `CREATE SCHEMA IF NOT EXISTS ${quoted(schema)};\n` : ''
  return `BEGIN;\n${lockSql}\n${create}${stepsFrom(schema, from)}COMMIT;\n`
}

/**
 * A process holds this lock to the end of the transaction in which it makes or changes tables. The number has no
 * meaning. The setting lets it write to the tables.
 */
const lockSql = `SELECT pg_advisory_xact_lock(5570193308); SET LOCAL ${writingSetting} = 'on';`

function stepsFrom(schema: string, from: number): string {
  const name = quoted(schema)
  const steps = versions.slice(Math.max(from - versionFirst + 1, 0)).map((step) => step(name, channelOf(schema)))
  return `${steps.join('')}UPDATE ${name}.meta SET value = ${schemaVersion} WHERE name = 'schema_version';\n`
}

/** The names of all tables, indexes, triggers, views and functions that must exist. */
const objects: readonly string[] = [
  ...versions
    .map((step) => step('s', 'c'))
    .join('')
    .matchAll(/CREATE (?:OR REPLACE |UNIQUE )?(TABLE|INDEX|TRIGGER|VIEW|FUNCTION|PROCEDURE) (?:s\.)?(\w+)/g),
].flatMap(([, kind, name]) => (kind === 'TABLE' ? [name!, `${name}_pkey`] : [name!]))

const lookSql = `SELECT current_setting('server_encoding'), n.oid IS NOT NULL, array_to_json(ARRAY(
  SELECT c.relname FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
  WHERE c.relnamespace = n.oid AND coalesce(i.indisvalid, true)
  UNION ALL SELECT p.proname FROM pg_proc p WHERE p.pronamespace = n.oid
  UNION ALL SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = n.oid AND t.tgenabled IN ('O', 'A')
))::text FROM (SELECT (SELECT oid FROM pg_namespace WHERE nspname = $1)) n (oid)`

/** What exists in the database. */
interface Found {
  readonly hasSchema: boolean
  /** 0 if there are no tables. */
  readonly version: number
  readonly objects: ReadonlySet<string>
}

/**
 * Checks the tables, and makes or updates them if `migrate` is true.
 *
 * @throws StoreError `STORE_NOT_MIGRATED`, `STORE_TOO_NEW`, `STORE_TOO_OLD`, `STORE_CORRUPT`; DefinitionError
 *   `OPTION_INVALID`; what the driver throws
 */
export async function prepareTables(database: Database, { schema, migrate }: Settings): Promise<void> {
  let found = await look(database, schema)
  if (found.version < schemaVersion) {
    if (!migrate) {
      const state =
        found.version === 0 ? 'there are no tables' : `it is of version ${found.version}, not ${schemaVersion}`
      throw new StoreError('STORE_NOT_MIGRATED', {
        store: storeNamed(schema),
        reason: `${state}, and migrate is false`,
      })
    }
    found = await database.transaction(async (transaction) => {
      await transaction.query(lockSql)
      const { version, hasSchema } = await look(transaction, schema)
      if (!hasSchema) await transaction.query(`CREATE SCHEMA ${quoted(schema)}`)
      if (version < schemaVersion) await transaction.query(stepsFrom(schema, version))
      return look(transaction, schema)
    })
  }
  const missing = objects.filter((name) => !found.objects.has(name))
  if (missing.length > 0) throw damaged(schema, `missing: ${missing.join(', ')}`)
}

/** @throws StoreError, DefinitionError */
async function look(database: Pick<Database, 'query'>, schema: string): Promise<Found> {
  const [row] = await database.query(lookSql, [schema])
  const [encoding, hasSchema, names] = row!
  if (encoding !== 'UTF8') throw unfit('connection', 'one to a database with the encoding UTF8', encoding)
  const there = new Set(JSON.parse(names!) as string[])
  const found = { hasSchema: hasSchema === 't', objects: new Set(objects.filter((name) => there.has(name))) }
  if (found.objects.size === 0) return { ...found, version: 0 }
  const rows = found.objects.has('meta') ? await versionsIn(database, schema) : []
  // Tables without a version, and not even complete, were never made by a store.
  if (rows.length === 0 && found.objects.size < objects.length) {
    throw new StoreError('STORE_NAMES_TAKEN', { store: storeNamed(schema), names: [...found.objects] })
  }
  const versionOf = (name: string): number => Number(rows.find(([each]) => each === name)?.[1] ?? Number.NaN)
  for (const [name, known] of [
    ['schema_version', schemaVersion],
    ['format_version', formatVersion],
  ] as const) {
    const version = versionOf(name)
    if (Number.isNaN(version)) throw damaged(schema, `the table meta has no ${name}`)
    if (version > known) throw new StoreError('STORE_TOO_NEW', { store: storeNamed(schema), version, known })
  }
  const version = versionOf('format_version')
  if (version < formatVersion) {
    throw new StoreError('STORE_TOO_OLD', { store: storeNamed(schema), version, known: formatVersion })
  }
  return { ...found, version: versionOf('schema_version') }
}

/** The rows of the table of versions, or none if the table belongs to another program. */
async function versionsIn(
  database: Pick<Database, 'query'>,
  schema: string,
): Promise<readonly (readonly (string | null)[])[]> {
  const columns = `SELECT FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname IN ('name', 'value') HAVING count(*) = 2`
  const table = `${quoted(schema)}.meta`
  if ((await database.query(columns, [table])).length === 0) return []
  return database.query(`SELECT name, value FROM ${table} WHERE name IN ('schema_version', 'format_version')`)
}
