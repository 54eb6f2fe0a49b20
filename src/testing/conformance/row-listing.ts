/** Reads rows page by page, and checks the pages. */
import assert from 'node:assert/strict'
import type { Row, RowQuery, Store } from '../../store/store.ts'
import { at } from '../checkpoint-at.ts'

/** All rows, page by page. */
export async function listAll(store: Store, projection: string, query: RowQuery): Promise<readonly Row[]> {
  const all: Row[] = []
  for (let after = query.after; ; ) {
    const { rows, next } = await store.listRows(projection, { ...query, ...(after !== undefined && { after }) })
    assert.ok(rows.length <= query.limit)
    assert.ok(!rows.some(({ key }) => key === after), 'a page begins after the key, not at it')
    all.push(...rows)
    if (next === undefined) return all
    assert.notEqual(next, after, 'each page makes progress')
    after = next
  }
}

export const keysOf = (rows: readonly Row[]): readonly string[] => rows.map(({ key }) => key)

/**
 * Expects that pages have a limited size, also with large rows, and with rows that do not meet a condition. For stores
 * that do not have the rows in memory.
 *
 * @param charactersMax the most characters in a page
 */
export async function expectBoundedPages(store: Store, charactersMax: number): Promise<void> {
  const text = 'x'.repeat(1_000_000)
  const keys = Array.from({ length: 40 }, (_, i) => `${100 + i}`)
  for (const [step, some] of [keys.slice(0, 20), keys.slice(20)].entries()) {
    const rows = some.map((key) => ({ key, value: { text, isOdd: Number(key) % 2 === 1 } }))
    await store.saveStep('large', { from: at(step), to: at(step + 1), rows })
  }
  for (const where of [undefined, [{ field: 'isOdd', oneOf: [true] }], [{ field: 'text', oneOf: ['y'] }]] as const) {
    const found = new Set<string>()
    let pages = 0
    for (let after: string | undefined; ; pages++) {
      const query = { limit: 1000, ...(where && { where }), ...(after !== undefined && { after }) }
      const { rows, next } = await store.listRows('large', query)
      assert.ok(JSON.stringify(rows).length <= charactersMax, `${rows.length} rows in a page`)
      for (const { key } of rows) found.add(key)
      if (next === undefined) break
      after = next
    }
    for (const key of keys)
      if (where === undefined || (where[0].field === 'isOdd' && Number(key) % 2 === 1)) assert.ok(found.has(key))
    if (where === undefined) assert.ok(pages > 0, 'more than one page')
  }
}

/**
 * Expects that rows are found even if they come after more rows than one page examines. The first page then ends
 * without a row.
 */
export async function expectFoundFarBehind(store: Store): Promise<void> {
  const rows = Array.from({ length: 10_500 }, (_, n) => ({ key: `${100_000 + n}`, value: { n, isRare: n > 10_400 } }))
  await store.saveStep('many', { from: at(0), to: at(1), rows })
  const wanted = rows.filter(({ value }) => value.isRare).map(({ key }) => key)
  for (const where of [[{ field: 'isRare', oneOf: [true] }], [{ field: 'n', least: 10_401 }]]) {
    const found = keysOf(await listAll(store, 'many', { where, limit: 30 }))
    assert.deepEqual(found.slice(-wanted.length), wanted)
    assert.deepEqual((await store.listRows('many', { where, limit: 30 })).rows, [])
  }
  assert.equal((await listAll(store, 'many', { limit: 1000 })).length, rows.length)
}
