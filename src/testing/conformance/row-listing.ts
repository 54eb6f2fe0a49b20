/** Rows page by page, as the cases about pages read them. */
import assert from 'node:assert/strict'
import type { Row, RowPage, Store } from '../../store/store.ts'

/** All rows, page by page: a page with fewer rows than its limit is the last. */
export async function listAll(store: Store, projection: string, page: RowPage): Promise<readonly Row[]> {
  const all: Row[] = []
  for (let next = page; ; ) {
    const rows = await store.listRows(projection, next)
    assert.ok(rows.length <= page.limit)
    all.push(...rows)
    if (rows.length < page.limit) return all
    next = { ...page, after: rows.at(-1)!.key }
  }
}

export const keysOf = (rows: readonly Row[]): readonly string[] => rows.map(({ key }) => key)
