/**
 * Rows that fit their checksum and are not what the store wrote. The store refuses them with a code, or gives what they
 * hold. It throws nothing else.
 */
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { test } from 'node:test'
import { mutateJson } from '../../../test/support/fuzz/json-mutation.ts'
import { said } from '../../../test/support/fuzz/well-formed.ts'
import { sized } from '../../../test/support/size.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { Random } from '../../testing/random.ts'
import { everything } from '../range.ts'
import type { Store } from '../store.ts'
import { sqlite } from './index.ts'
import { checksumOf, checksumOfValues, type EventRow, seedOfKind, seedOfStream } from './log/checksum.ts'
import { freshPath, openStore, simpleCommit, withDatabase } from './sqlite-test.fixture.ts'

/** More with `MNEME_DAMAGES=20000`. */
const forgeries = Number(process.env['MNEME_DAMAGES'] ?? sized(80, 20))
/** A note nested very deep could not be read by the other thread, and its caller waited for ever. */
const foundBefore = [95]
const stream = { aggregate: 'account', id: 'ada' }
const unlimited = { limit: Number.POSITIVE_INFINITY }
const commits = 8

async function fill(store: Store): Promise<void> {
  for (let n = 1; n <= commits; n++) {
    const events = [{ type: 'Deposited', data: { n, list: [1, 'a'] }, metadata: { by: 'me' }, tags: ['red', 'blue'] }]
    await store.append([simpleCommit(`c${n}`, { events, recordedAt: n })])
  }
  const rows = [1, 2, 3].map((n) => ({ key: `row ${n}`, value: { n } }))
  await store.saveStep('p', { from: at(0), to: { position: 3, term: 0, note: { a: 1 } }, rows })
  const state = { stateRevision: 1, checksum: 5, fingerprint: 'f', takenAt: 0, state: { n: [1] } }
  await store.saveSnapshot({ stream, sequence: 3, ...state }, { keep: 1 })
}

type Values = Readonly<Record<string, SQLOutputValue>>

/** Text in the place of JSON, with the checksum that it then has. */
interface Kind {
  readonly table: string
  readonly column: string
  readonly checksumOf: (row: Values) => number
}

const textColumns = ['data', 'metadata', 'tags']
const valuesOf = (row: Values, ...names: readonly string[]) =>
  checksumOfValues(...names.map((name) => row[name] as string | number))

const kinds: readonly Kind[] = [
  ...textColumns.map((column) => ({ table: 'events', column, checksumOf: checksumOfEvent })),
  { table: 'projections', column: 'note', checksumOf: (row) => valuesOf(row, 'name', 'checkpoint', 'term', 'note') },
  { table: 'projection_rows', column: 'value', checksumOf: (row) => valuesOf(row, 'projection', 'key', 'value') },
  {
    table: 'snapshots',
    column: 'state',
    checksumOf: (row) =>
      valuesOf(
        row,
        ...['aggregate', 'id', 'sequence', 'state_revision'],
        ...['event_checksum', 'fingerprint', 'taken_at', 'state'],
      ),
  },
]

function checksumOfEvent(row: Values): number {
  const names = ['position', 'sequence', 'kind', 'recorded_at', 'checksum', 'commit_id', ...textColumns]
  const values = names.map((name) => row[name]) as unknown as EventRow
  return checksumOf(values, { seed: seedOfStream(stream) }, { seed: seedOfKind('Deposited', 1) })
}

function forge(database: DatabaseSync, { table, column, checksumOf: sum }: Kind, random: Random): void {
  const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all()
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${name}`)
  const rows = database.prepare(`SELECT * FROM ${table}`).all()
  const row = random.pick(rows)
  const text = mutateJson(String(row[column]), random)
  const checksum = sum({ ...row, [column]: text })
  const where = `checksum = ? AND ${column} = ?`
  const update = database.prepare(`UPDATE ${table} SET ${column} = ?, checksum = ? WHERE ${where}`)
  assert.equal(update.run(text, checksum, row['checksum']!, row[column]!).changes, 1)
  for (const { sql } of triggers) database.exec(String(sql))
}

/** All that a store can be asked. Returns how many questions it refused. */
async function askAll(store: Store): Promise<number> {
  const questions: readonly (() => Promise<unknown>)[] = [
    () => store.readAll(everything, unlimited),
    () => store.readAll(everything, { ...unlimited, direction: 'backward' }),
    () => store.readAll(everything, { ...unlimited, tags: ['red'] }),
    () => store.readAll(everything, { ...unlimited, types: ['Deposited'] }),
    () => store.readStream(stream, everything),
    () => store.streamEnds([stream]),
    () => store.findCommit(stream, 'c2'),
    () => store.loadCheckpoint('p'),
    () => store.loadRows('p', ['row 1', 'row 2', 'row 3']),
    () => store.listRows('p', unlimited),
    () => store.listRows('p', { ...unlimited, where: [{ field: 'n', oneOf: [1, 2] }] }),
    () => store.loadSnapshot(stream),
    () => store.append([simpleCommit('new')]),
    () => store.saveStep('p', { from: at(3), to: at(4), rows: [{ key: 'row 1', value: 1 }] }),
  ]
  let refused = 0
  for (const question of questions) if ((await said(question)) === undefined) refused++
  return refused
}

test(`${forgeries} forged rows are refused with a code or read as they are`, async (context) => {
  const path = await freshPath(context)
  const first = await openStore(context, path)
  await fill(first)
  await first.close()
  const bytes = await readFile(path)
  const outcomes = { refused: 0, answered: 0 }
  for (const seed of [...foundBefore, ...Array.from({ length: forgeries }, (_, i) => i + 1)]) {
    const random = new Random(seed)
    const kind = random.pick(kinds)
    await writeFile(path, bytes)
    await withDatabase(path, (database) => forge(database, kind, random))
    try {
      const opened = await said(() => sqlite(path).open({ warn: () => undefined, now: () => 0 }))
      if (opened === undefined) outcomes.refused++
      else {
        try {
          outcomes[(await askAll(opened.answer)) > 0 ? 'refused' : 'answered']++
        } finally {
          await opened.answer.close()
        }
      }
    } catch (cause) {
      throw new Error(`forgery ${seed} of ${kind.table}.${kind.column}`, { cause })
    } finally {
      for (const suffix of ['-wal', '-shm']) await rm(`${path}${suffix}`, { force: true })
    }
  }
  assert.ok(Math.min(outcomes.refused, outcomes.answered) > forgeries / 20, JSON.stringify(outcomes))
})
