/**
 * The rows of a projection in memory: equal to a sorted list, however many there are and whatever changes meanwhile.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { platformLoop } from '../../../runtime/timers.ts'
import type { RowPage } from '../../store.ts'
import { GrowingMap } from './growing-map.ts'
import { Rows } from './projection-rows.ts'

test('a growing map equals a map, below and above the size at which it is divided', () => {
  const map = new GrowingMap<number>()
  const plain = new Map<string, number>()
  for (let n = 0; n < 60_000; n++) {
    const key = `k${(n * 7919) % 40_000}`
    if (n % 5 === 0) assert.equal(map.delete(key), plain.delete(key))
    else {
      map.set(key, n)
      plain.set(key, n)
    }
    assert.equal(map.size, plain.size)
  }
  assert.deepEqual(new Map(map.entries()), plain)
  for (const [key, value] of plain) assert.ok(map.has(key) && map.get(key) === value)
  assert.equal(map.get('none'), undefined)
})

test('rows that are added and deleted during the sort are in the right place', async () => {
  const rows = new Rows(platformLoop)
  for (let n = 0; n < 30_000; n++) rows.set(`k${n}`, `${n}`)
  const listed: Promise<RowPage>[] = [rows.list({ limit: Number.POSITIVE_INFINITY })]
  for (let round = 0; round < 20; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    for (let n = 0; n < 200; n++) {
      rows.set(`k${(round * 1409 + n * 13) % 30_000}`, undefined)
      rows.set(`new ${round} ${n}`, '0')
    }
    listed.push(rows.list({ prefix: `new ${round} `, limit: 1000 }))
  }
  const pages = await Promise.all(listed)
  assert.ok(pages.slice(1).every(({ rows: found }) => found.length === 200))
  const found: string[] = []
  for (let after: string | undefined; ; ) {
    const page = await rows.list({ limit: Number.POSITIVE_INFINITY, ...(after !== undefined && { after }) })
    found.push(...page.rows.map(({ key }) => key))
    if (page.next === undefined) break
    after = page.next
  }
  assert.deepEqual(found, [...rows.entries()].map(([key]) => key).sort())
})

test('the size of rows is their size in a journal', () => {
  const rows = new Rows(platformLoop)
  rows.set('a', '"x"')
  rows.set('b', '1')
  const { size } = rows
  rows.set('c', '[1,2,3]')
  rows.set('a', '"xyz"')
  rows.set('a', '"x"')
  rows.set('c', undefined)
  rows.set('c', undefined)
  assert.equal(rows.size, size)
})
