/**
 * Random damage to the file of a closed store: every question then gets the same answer as before, or is refused with a
 * code.
 */
import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { sized } from '../../../test/support/size.ts'
import { MnemeError } from '../../domain/error.ts'
import type { StreamId } from '../../domain/stream.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { Random } from '../../testing/random.ts'
import { commit } from '../commit.ts'
import { everything } from '../range.ts'
import type { Store } from '../store.ts'
import { sqlite } from './index.ts'
import { freshPath, openStore, simpleCommit, withDatabase } from './sqlite-test.fixture.ts'

const damages = sized(200, 20)
const rowDamages = sized(50, 10)
const pageSize = 4096
const opening = { warn: () => {}, now: () => 0 }
const unlimited = { limit: Number.POSITIVE_INFINITY }
const streams: readonly StreamId[] = Array.from({ length: 6 }, (_, i) => ({
  aggregate: `a${i % 3}`,
  id: `stream ${i}`,
}))
const types = ['Opened', 'Deposited', 'Withdrawn']
const tags = ['red', 'green', 'blue']
const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`)
const commitCount = 200

async function fill(store: Store): Promise<void> {
  for (let n = 0; n < commitCount; n++) {
    const events = Array.from({ length: 1 + (n % 3) }, (_, i) => ({
      type: types[(n + i) % types.length]!,
      data: { n, i, text: 'x'.repeat((n * 37) % 300) },
      metadata: n % 5 === 0 ? { by: `user ${n}` } : {},
      tags: tags.filter((_, t) => (n + i) % (t + 2) === 0),
    }))
    const command = { name: 'do', digest: n }
    const stream = streams[n % streams.length]!
    await store.append([commit({ stream, expected: 'any', id: `commit ${n}`, recordedAt: n, events, command })])
  }
  await store.saveStep('p', { from: at(0), to: at(7), rows: keys.map((key, n) => ({ key, value: { n } })) })
  for (const stream of streams) {
    const sequence = (await store.streamEnds([stream]))[0]!.sequence
    const state = { stateRevision: 1, checksum: 5, fingerprint: 'f', takenAt: 0, state: { sequence } }
    await store.saveSnapshot({ stream, sequence, ...state }, { keep: 1 })
  }
}

type Question = (store: Store) => Promise<unknown>

/** The questions to a store. */
const questions: ReadonlyMap<string, Question> = new Map<string, Question>([
  ['the head', (store) => store.head()],
  ['all', (store) => store.readAll(everything, unlimited)],
  ['all, backward', (store) => store.readAll(everything, { ...unlimited, direction: 'backward' })],
  ['a part', (store) => store.readAll({ from: 100, to: 150 }, unlimited)],
  ...['a0', 'a1'].map((name): [string, Question] => [
    `the aggregate ${name}`,
    (store) => store.readAll(everything, { ...unlimited, aggregates: [name] }),
  ]),
  ...types.map((type): [string, Question] => [
    `the type ${type}`,
    (store) => store.readAll(everything, { ...unlimited, types: [type] }),
  ]),
  ...tags.map((tag): [string, Question] => [
    `the tag ${tag}`,
    (store) => store.readAll(everything, { ...unlimited, tags: [tag] }),
  ]),
  [
    'two tags and a type',
    (store) => store.readAll(everything, { ...unlimited, tags: ['red', 'green'], types: ['Opened'] }),
  ],
  ...streams.flatMap((stream): readonly [string, Question][] => [
    [`the stream ${stream.id}`, (store) => store.readStream(stream, everything, unlimited)],
    [
      `the stream ${stream.id}, backward`,
      (store) => store.readStream(stream, everything, { ...unlimited, direction: 'backward' }),
    ],
    [`the end of ${stream.id}`, (store) => store.streamEnds([stream])],
  ]),
  ...Array.from({ length: commitCount / 20 }, (_, i): [string, Question] => {
    const n = i * 20
    return [`the commit ${n}`, (store) => store.findCommit(streams[n % streams.length]!, `commit ${n}`)]
  }),
])

/** Questions about the data beside the log. A missing row looks like one that never existed. */
const documents: ReadonlyMap<string, Question> = new Map<string, Question>([
  ['the checkpoint', (store) => store.loadCheckpoint('p')],
  ...keys.map((key): [string, Question] => [`the row ${key}`, async (store) => (await store.loadRows('p', [key]))[0]]),
  ...streams.map((stream): [string, Question] => [
    `the snapshot of ${stream.id}`,
    (store) => store.loadSnapshot(stream),
  ]),
])

/** The answer, or undefined if it is refused with a code. */
async function said<Answer>(ask: () => Promise<Answer>): Promise<{ readonly answer: Answer } | undefined> {
  try {
    return { answer: await ask() }
  } catch (error) {
    if (error instanceof MnemeError) return undefined
    throw error
  }
}

/** Bytes after a random damage. */
function damaged(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes)
  const pages = bytes.length / pageSize
  const [place, page, other] = [
    random.below(bytes.length),
    random.below(pages) * pageSize,
    random.below(pages) * pageSize,
  ]
  const end = Math.min(place + 1 + random.below(200), bytes.length)
  const kinds: (() => void)[] = [
    () => {
      copy[place]! ^= 1 << random.below(8)
    },
    () => {
      copy[place] = random.below(256)
    },
    () => void copy.fill(0, place, end),
    () => {
      for (let i = place; i < end; i++) copy[i] = random.below(256)
    },
    () => void copy.fill(0, page, page + pageSize),
    () => void bytes.copy(copy, page, other, other + pageSize),
  ]
  kinds[random.below(kinds.length)]!()
  return copy
}

const tables = ['events', 'events', 'events', 'streams', 'kinds', 'event_tags', 'log', 'snapshots', 'projections']

/** Changes one value of one row, or deletes a row, in a way that SQLite itself cannot notice. */
function changeRow(database: DatabaseSync, random: Random): void {
  const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all()
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${name}`)
  const table = tables[random.below(tables.length)]!
  const columns = database.prepare(`SELECT name, pk FROM pragma_table_info('${table}')`).all()
  const ids = columns.filter(({ pk }) => pk !== 0).map(({ name }) => String(name))
  const count = Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()!['n'])
  const row = database.prepare(`SELECT * FROM ${table} LIMIT 1 OFFSET ?`).get(random.below(count))!
  const where = ids.map((id) => `${id} = ?`).join(' AND ')
  const place = ids.map((id) => row[id]!)
  const column = String(columns[random.below(columns.length)]!['name'])
  const old = row[column]
  const changed = typeof old === 'number' ? old + 1 + random.below(3) : `${old ?? ''}${random.below(10)}`
  try {
    if (table === 'events' && random.below(5) === 0)
      database.prepare(`DELETE FROM ${table} WHERE ${where}`).run(...place)
    else database.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${where}`).run(changed, ...place)
  } catch {
    // The table itself refuses such a value from any program.
  }
  for (const { sql } of triggers) database.exec(String(sql))
}

/** Damages a copy of a file, and asks it all questions. */
async function ask(
  path: string,
  bytes: Buffer,
  truth: ReadonlyMap<string, unknown>,
  wrong: Map<string, string[]>,
  seed: number,
): Promise<'refused' | 'answered'> {
  await writeFile(path, bytes)
  const opened = await said(() => sqlite(path).open(opening))
  if (opened === undefined) {
    assert.ok(bytes.equals(await readFile(path)), `damage ${seed}: a refused file is as it was`)
    assert.deepEqual(await readdir(dirname(path)), ['log.db'])
    return 'refused'
  }
  const store = opened.answer
  let refused = 0
  const blame = (name: string) => {
    const seeds = wrong.get(name) ?? []
    wrong.set(name, seeds)
    seeds.push(`${seed}`)
  }
  try {
    for (const [name, question] of questions) {
      const got = await said(() => question(store))
      if (got === undefined) refused++
      else if (!isSame(got.answer, truth.get(name))) blame(name)
    }
    for (const [name, question] of documents) {
      const got = await said(() => question(store))
      const isMissing = got?.answer === undefined || (name === 'the checkpoint' && isSame(got.answer, at(0)))
      if (got !== undefined && !isMissing && !isSame(got.answer, truth.get(name))) blame(name)
    }
    const listed = await said(() => store.listRows('p', unlimited))
    for (const { key, value } of listed?.answer.rows ?? [])
      if (!isSame(value, truth.get(`the row ${key}`))) blame('rows')
    const appended = await said(() => store.append([simpleCommit('new')]))
    if (appended !== undefined) {
      const read = await said(() => store.readStream({ aggregate: 'account', id: 'ada' }, everything))
      if (read !== undefined && read.answer.length !== 1) blame('what was appended')
    }
  } catch (cause) {
    throw new Error(`damage ${seed}`, { cause })
  } finally {
    await store.close()
    for (const suffix of ['-wal', '-shm']) await rm(`${path}${suffix}`, { force: true })
  }
  return refused > 0 ? 'refused' : 'answered'
}

function isSame(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b)
    return true
  } catch {
    return false
  }
}

async function base(context: TestContext): Promise<{ path: string; bytes: Buffer; truth: Map<string, unknown> }> {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  await fill(store)
  const truth = new Map<string, unknown>()
  for (const [name, question] of [...questions, ...documents]) truth.set(name, await question(store))
  await store.close()
  return { path, bytes: await readFile(path), truth }
}

test(`${damages} random damages to a file are refused or change no answer`, async (context) => {
  const { path, bytes, truth } = await base(context)
  const wrong = new Map<string, string[]>()
  const outcomes = { refused: 0, answered: 0 }
  for (let seed = 1; seed <= damages; seed++) {
    outcomes[await ask(path, damaged(bytes, new Random(seed)), truth, wrong, seed)]++
  }
  assert.deepEqual(Object.fromEntries(wrong), {})
  assert.ok(outcomes.refused > damages / 10 && outcomes.answered > damages / 10, JSON.stringify(outcomes))
})

test(`${rowDamages} random changes of rows are refused or change no answer`, async (context) => {
  const { path, bytes, truth } = await base(context)
  const wrong = new Map<string, string[]>()
  const outcomes = { refused: 0, answered: 0 }
  for (let seed = 1; seed <= rowDamages; seed++) {
    await writeFile(path, bytes)
    await withDatabase(path, (database) => changeRow(database, new Random(seed)))
    outcomes[await ask(path, await readFile(path), truth, wrong, seed)]++
  }
  assert.deepEqual(Object.fromEntries(wrong), {})
  assert.ok(outcomes.refused > rowDamages / 4 && outcomes.answered > rowDamages / 10, JSON.stringify(outcomes))
})
