/**
 * Pages of rows: the range of a prefix, the conditions that SQLite tests, and that a long look lets the event loop
 * turn.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { at } from '../../../testing/checkpoint-at.ts'
import { expectBoundedPages, expectFoundFarBehind } from '../../../testing/conformance/row-listing.ts'
import type { Condition, Store } from '../../store.ts'
import { StatementCache } from '../database/statement-cache.ts'
import { freshPath, openStore, withDatabase } from '../sqlite-test.fixture.ts'
import { endOf } from './row-pages.ts'

const bytesOf = (text: string | Uint8Array) => (typeof text === 'string' ? Buffer.from(text) : undefined)

/** Texts at the borders of UTF-8's lengths, of the surrogates, and of all texts. */
const borders = [
  ...['\0', '\u0001', ' ', 'a', '~', '\u007f', '\u0080', '\u07ff', '\u0800', '\ud7fe', '\ud7ff', '\ue000', '\ufffd'],
  ...['\uffff', '\u{10000}', '😀', '\u{10fffe}', '\u{10ffff}'],
]

test('the end of a prefix is after all texts with the prefix, and before all later texts', () => {
  const texts = ['', ...borders, ...borders.flatMap((a) => borders.map((b) => a + b))]
  const longer = texts.flatMap((text) => [text, `${text}\u{10ffff}`, `${text}\u{10ffff}\u{10ffff}`, `${text}a`])
  for (const prefix of texts) {
    const end = bytesOf(endOf(prefix))
    const start = Buffer.from(prefix)
    for (const text of longer) {
      const bytes = Buffer.from(text)
      const isWithin = Buffer.compare(bytes, start) >= 0 && (end === undefined || Buffer.compare(bytes, end) < 0)
      if (isWithin !== text.startsWith(prefix)) assert.fail(`${JSON.stringify(text)} and ${JSON.stringify(prefix)}`)
    }
  }
})

async function save(store: Store, values: readonly unknown[]): Promise<void> {
  const rows = values.map((value, i) => ({ key: `${10_000 + i}`, value: value as never }))
  await store.saveStep('p', { from: at(0), to: at(1), rows })
}

const found = async (store: Store, where: readonly Condition[], limit = 100_000) =>
  (await store.listRows('p', { where, limit })).rows.map(({ value }) => value)

test('SQLite leaves out rows that do not meet a condition', async (context) => {
  const store = await openStore(context, await freshPath(context))
  const values = [1, 2, 2.5, 1e300, '1', 'ada', true, false, null, [1], { $number: 'Infinity' }].map((a) => ({ a }))
  await save(store, [...values, {}, 5, 'ada', [{ a: 1 }]])
  const where = async (condition: object) =>
    (await found(store, [{ field: 'a', ...condition } as Condition])).map((value) => (value as { a: unknown }).a)
  assert.deepEqual(await where({ oneOf: ['ada'] }), ['ada'])
  assert.deepEqual(await where({ oneOf: [2.5, 'ada'] }), [2.5, 'ada'])
  assert.deepEqual(await where({ oneOf: [] }), [])
  assert.deepEqual(await where({ least: 2, most: 3 }), [2, 2.5, { $number: 'Infinity' }])
  assert.deepEqual(await where({ most: 1.5 }), [1, true, false, { $number: 'Infinity' }])
})

test('a field whose name does not fit in a path leaves nothing out', async (context) => {
  const store = await openStore(context, await freshPath(context))
  for (const field of ['a"b', 'a\\b', '', 'a\nb', 'a\0', '\ud800']) {
    await store.resetProjection('p')
    await save(store, [{ [field]: 1 }, { [field]: 2 }])
    assert.equal((await found(store, [{ field, oneOf: [1] }])).length, 2, JSON.stringify(field))
  }
})

test('a row that is not JSON is reported as damage, with and without a condition', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  await save(store, [{ a: 1 }, { a: 2 }])
  await withDatabase(path, (database) => database.exec("UPDATE projection_rows SET value = '{oh' WHERE key = '10001'"))
  for (const where of [[], [{ field: 'a', oneOf: [1] }], [{ field: 'a', least: 0 }]]) {
    await assert.rejects(found(store, where), { code: 'STORE_CORRUPT' })
  }
})

test('statements are prepared once, and a bounded number of them is kept', () => {
  const prepared: string[] = []
  const cache = new StatementCache(3, (text) => {
    prepared.push(text)
    return text.toUpperCase()
  })
  for (const text of ['a', 'b', 'a', 'c', 'a', 'd', 'a', 'b']) assert.equal(cache.get(text), text.toUpperCase())
  assert.deepEqual(prepared, ['a', 'b', 'c', 'd', 'b'])
  assert.equal(cache.size, 3)
})

test('a page of large rows ends before its limit', async (context) => {
  await expectBoundedPages(await openStore(context, await freshPath(context)), 10_000_000)
})

test('a page ends when it has looked at many rows', async (context) => {
  await expectFoundFarBehind(await openStore(context, await freshPath(context)))
})

const hasCounts = existsSync('/proc/self/io')

test('a search among large rows does not read them', {
  skip: !hasCounts && 'nothing counts the bytes',
}, async (context) => {
  const store = await openStore(context, await freshPath(context))
  await save(
    store,
    Array.from({ length: 20 }, () => 'x'.repeat(1_000_000)),
  )
  const rows = Array.from({ length: 300 }, (_, i) => ({ key: `small ${i}`, value: i }))
  const before = await bytesRead()
  await store.saveStep('q', { from: at(0), to: at(1), rows })
  const read = await store.loadRows(
    'q',
    rows.map(({ key }) => key),
  )
  assert.equal(read.length, 300)
  const bytes = (await bytesRead()) - before
  assert.ok(bytes < 10_000_000, `${bytes} bytes were read`)
})

/** What this process has read, also from the cache of the system. */
async function bytesRead(): Promise<number> {
  return Number(/^rchar: (\d+)$/m.exec(await readFile('/proc/self/io', 'utf8'))![1])
}
