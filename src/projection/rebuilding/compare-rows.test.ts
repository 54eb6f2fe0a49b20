/** Comparing two sets of rows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEnvironment } from '../../application/system-environment.ts'
import { type Json, memory } from '../../index.ts'
import { Breath } from '../../runtime/breath.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { parkedRow } from '../stored/parked-events.ts'
import { compareRows } from './compare-rows.ts'

type Rows = Readonly<Record<string, Json>>

async function comparing(live: Rows, rebuilt: Rows) {
  const store = await memory().open({ now: () => 0, warn: () => {} })
  const parked = parkedRow({ position: 1, type: 'Put', stream: { aggregate: 'a', id: 'a' } }, ['a'], 'why', 0)
  for (const [name, all] of Object.entries({ live, rebuilt })) {
    const rows = Object.entries(all).map(([key, value]) => ({ key, value }))
    await store.saveStep(name, { from: at(0), to: at(1), rows: name === 'live' ? [...rows, parked] : rows })
  }
  return (limit = 100, breath = new Breath(systemEnvironment)) => compareRows(store, 'live', 'rebuilt', limit, breath)
}

test('rows that differ, rows on one side only, and equal rows are distinguished', async () => {
  const compare = await comparing({ a: 1, b: { x: [1] }, c: null, d: 4 }, { a: 1, b: { x: [2] }, c: null, e: 5 })
  assert.deepEqual(await compare(), {
    rows: 4,
    differing: 3,
    differences: [
      { key: 'b', live: { x: [1] }, rebuilt: { x: [2] } },
      { key: 'd', live: 4, rebuilt: undefined },
      { key: 'e', live: undefined, rebuilt: 5 },
    ],
  })
})

test('all differences are counted, and listed up to the limit', async () => {
  const rows = (by: number) => Object.fromEntries(Array.from({ length: 2300 }, (_, i) => [`k${i}`, i + by]))
  const compare = await comparing(rows(0), rows(1))
  const { differing, differences, rows: count } = await compare(7)
  assert.deepEqual([differing, differences.length, count], [2300, 7, 2300])
  assert.deepEqual((await compare(0)).differences, [])
})

test('dates are shown as dates', async () => {
  const date = (text: string) => ({ $date: text })
  const compare = await comparing({ a: date('2026-01-01T00:00:00.000Z') }, { a: date('2026-01-02T00:00:00.000Z') })
  const [difference] = (await compare()).differences
  assert.deepEqual(difference, { key: 'a', live: new Date('2026-01-01'), rebuilt: new Date('2026-01-02') })
})

test('it ends with the reason of its signal', async () => {
  const compare = await comparing({ a: 1 }, {})
  await assert.rejects(compare(1, new Breath(systemEnvironment, AbortSignal.abort(new Error('enough')))), /enough/)
})
