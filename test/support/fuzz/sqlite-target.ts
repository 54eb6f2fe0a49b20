/**
 * Rows of a SQLite file that are not what the store wrote: JSON that was changed, and any value in any column of any
 * table, with a checksum that fits or with the old one. The store refuses them with a code, or gives what they hold. It
 * throws nothing else.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import {
  checksumOf,
  checksumOfStream,
  checksumOfValues,
  type EventRow,
  seedOfKind,
  seedOfStream,
} from '../../../src/store/sqlite/log/checksum.ts'
import { withDatabase } from '../../../src/store/sqlite/sqlite-test.fixture.ts'
import type { Random } from '../../../src/testing/random.ts'
import { askAll, fill, stream } from './damaged-store.ts'
import type { FuzzTarget, Outcome } from './fuzz-target.ts'
import { mutateJson } from './json-mutation.ts'
import { said } from './well-formed.ts'

type Values = Readonly<Record<string, SQLOutputValue>>

/** A table, the column with a checksum over each row, if it has one, and how that is computed. */
interface Table {
  readonly name: string
  readonly sum?: readonly [column: string, of: (row: Values) => number]
  /** The columns with JSON. */
  readonly json?: readonly string[]
}

const eventColumns = [
  'position',
  'sequence',
  'kind',
  'recorded_at',
  'checksum',
  'commit_id',
  'data',
  'metadata',
  'tags',
]
const snapshotColumns = ['sequence', 'state_revision', 'event_checksum', 'fingerprint', 'taken_at', 'state']
const listOf = (row: Values, names: readonly string[]): any[] => names.map((name) => row[name])
const sumOf =
  (...names: readonly string[]) =>
  (row: Values): number =>
    checksumOfValues(...listOf(row, names))

function sumOfEvent(row: Values): number {
  const values = listOf(row, eventColumns) as unknown as EventRow
  return checksumOf(values, { seed: seedOfStream(stream) }, { seed: seedOfKind('Deposited', 1) })
}

function sumOfStream({ aggregate, id, number, sequence, checksum, size_max: sizeMax }: Values): number {
  const seed = seedOfStream({ aggregate: String(aggregate), id: String(id) })
  return checksumOfStream({ seed, number, sequence, checksum, sizeMax } as never)
}

const tables: readonly Table[] = [
  { name: 'events', sum: ['checksum', sumOfEvent], json: ['data', 'metadata', 'tags'] },
  { name: 'events', sum: ['commit_checksum', sumOf('checksum', 'commit_size', 'command', 'command_digest')] },
  { name: 'streams', sum: ['own_checksum', sumOfStream] },
  { name: 'kinds', sum: ['checksum', sumOf('number', 'aggregate', 'type', 'revision')] },
  { name: 'projections', sum: ['checksum', sumOf('name', 'checkpoint', 'term', 'note')], json: ['note'] },
  { name: 'projection_rows', sum: ['checksum', sumOf('projection', 'key', 'value')], json: ['value'] },
  { name: 'snapshots', sum: ['checksum', sumOf('aggregate', 'id', ...snapshotColumns)], json: ['state'] },
  ...['meta', 'log', 'event_tags', 'leases', 'reservations'].map((name) => ({ name })),
]
const withJson = tables.filter(({ json }) => json !== undefined)

const integers = [0n, 1n, -1n, 2n, 9n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)]
/** As SQL, because a text may hold bytes that are no UTF-8. */
const texts = [
  "''",
  "'x'",
  "'red'",
  "'other'",
  "'ada'",
  'char(0)',
  "'{}'",
  "'1'",
  "CAST(x'ff' AS TEXT)",
  "CAST(x'eda080' AS TEXT)",
]

/** Changes one value of one row. A table that refuses the value stays as it is. */
function forge(database: DatabaseSync, random: Random): void {
  const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all()
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${name}`)
  database.exec('PRAGMA foreign_keys = OFF')
  if (random.chance(0.5)) forgeJson(database, random)
  else forgeValue(database, random)
  for (const { sql } of triggers) database.exec(String(sql))
}

function forgeJson(database: DatabaseSync, random: Random): void {
  const table = random.pick(withJson)
  const column = random.pick(table.json!)
  const row = random.pick(rowsOf(database, table.name))
  const text = mutateJson(String(row[column]), random)
  change(database, table, row, column, '?', [text])
}

function forgeValue(database: DatabaseSync, random: Random): void {
  const table = random.pick(tables)
  const row = random.pick(rowsOf(database, table.name))
  const column = random.pick(Object.keys(row))
  const isText = typeof row[column] === 'string'
  const { sum, ...unsummed } = table
  const changed = random.chance(0.7) && sum !== undefined ? table : unsummed
  const isMuch = random.chance(0.1)
  const value = isText ? random.pick(texts) : isMuch ? 'NULL' : String(random.pick(integers))
  change(database, changed, row, column, value, [])
}

const rowsOf = (database: DatabaseSync, table: string): readonly Values[] =>
  database.prepare(`SELECT * FROM ${table}`).all()

function change(
  database: DatabaseSync,
  { name, sum }: Table,
  row: Values,
  column: string,
  value: string,
  given: readonly SQLInputValue[],
): void {
  const columns = Object.keys(row).filter((each) => row[each] !== null)
  const where = columns.map((each) => `${each} = ?`).join(' AND ')
  const identity = columns.map((each) => row[each] as SQLInputValue)
  try {
    const { changes } = database
      .prepare(`UPDATE ${name} SET ${column} = ${value} WHERE ${where}`)
      .run(...given, ...identity)
    if (changes !== 1 || sum === undefined || sum[0] === column) return
    const [held] = database.prepare(`SELECT ${given.length > 0 ? '?' : value} AS value`).all(...given)
    const fitting = sum[1]({ ...row, [column]: held!['value']! })
    const others = columns.filter((each) => each !== column)
    const whereNow = [...others.map((each) => `${each} = ?`), `${column} IS ${value}`].join(' AND ')
    const now = [...others.map((each) => row[each] as SQLInputValue), ...given]
    database.prepare(`UPDATE ${name} SET ${sum[0]} = ? WHERE ${whereNow}`).run(fitting, ...now)
  } catch (error) {
    // The table does not take it: a value that has to be unique, or not null. Or the number is none of JavaScript.
    if (!/constraint|too large|datatype mismatch/.test((error as Error).message)) throw error
  }
}

/** @param folder where it may write; the runs are one after the other */
export function forgedRows(folder: string): FuzzTarget {
  const path = join(folder, 'forged.db')
  const open = () => sqlite(path).open({ warn: () => undefined, now: () => 5 })
  let whole: Promise<Buffer> | undefined
  const made = async () => {
    const first = await open()
    await fill(first)
    await first.close()
    return readFile(path)
  }
  return {
    name: 'rows of sqlite',
    async run(random): Promise<Outcome> {
      whole ??= made()
      await writeFile(path, await whole)
      try {
        await withDatabase(path, (database) => forge(database, random))
        const opened = await said(open)
        if (opened === undefined) return 'refused'
        try {
          return (await askAll(opened.answer)) > 0 ? 'refused' : 'answered'
        } finally {
          await opened.answer.close()
        }
      } finally {
        for (const suffix of ['', '-wal', '-shm']) await rm(`${path}${suffix}`, { force: true })
      }
    },
  }
}
