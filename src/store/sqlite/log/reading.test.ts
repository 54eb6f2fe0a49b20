/**
 * Reading: with the indexes, filters find the same as a look at every event, and long reads let the event loop turn.
 */
import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { test } from 'node:test'
import { commit } from '../../commit.ts'
import { matches } from '../../page.ts'
import { everything } from '../../range.ts'
import type { ReadAllOptions, Store } from '../../store.ts'
import { freshPath, openStore, simpleCommit } from '../sqlite-test.fixture.ts'
import { agree, indexed, type Positions, union } from './positions.ts'

/** Numbers that look random, but are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

async function fill(store: Store, count: number): Promise<void> {
  const next = numbers(7)
  const tags = ['rare', 'some', 'often', 'most']
  const commits = Array.from({ length: count }, (_, i) => {
    const event = {
      type: next(50) === 0 ? 'Rare' : `Type${next(3)}`,
      data: { i },
      tags: tags.filter((_, level) => next(40) < [1, 5, 20, 35][level]!),
    }
    const stream = { aggregate: next(100) === 0 ? 'lonely' : `aggregate${next(2)}`, id: `${next(20)}` }
    return commit({ stream, expected: 'any', id: `c${i}`, recordedAt: i, events: [event] })
  })
  await store.append(commits)
}

test('filtered reads give the same as a look at every event, from any position, forward and backward', async (context) => {
  const store = await openStore(context, await freshPath(context))
  await fill(store, 3000)
  const { events } = await store.readAll(everything, { limit: Number.POSITIVE_INFINITY })
  const next = numbers(11)
  const some = <Item>(items: readonly Item[]) => items.filter(() => next(3) === 0)
  for (let run = 0; run < 300; run++) {
    const from = next(3200)
    const to = next(4) === 0 ? Number.POSITIVE_INFINITY : from + next(3200)
    const limit = [1, 7, 100, 5000][next(4)]!
    const options: ReadAllOptions = {
      limit,
      direction: next(2) === 0 ? 'forward' : 'backward',
      ...(next(2) === 0 && { types: some(['Rare', 'Type0', 'Type1', 'Unknown']) }),
      ...(next(2) === 0 && { aggregates: some(['lonely', 'aggregate0', 'unknown']) }),
      ...(next(2) === 0 && { tags: some(['rare', 'some', 'often', 'most']) }),
    }
    const all = events.filter((event) => event.position >= from && event.position < to && matches(options, event))
    const expected = (options.direction === 'backward' ? all.reverse() : all).slice(0, limit)
    const page = await store.readAll({ from, to }, options)
    assert.deepEqual(page.events, expected, JSON.stringify({ from, to, options }))
  }
})

test('the write-ahead log stays bounded however much is appended', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  const events = [{ type: 'Noted', data: 'x'.repeat(1_000_000) }]
  for (let i = 0; i < 60; i++) await store.append([simpleCommit(`c${i}`, { events })])
  const { size } = await stat(`${path}-wal`)
  assert.ok(size < 24_000_000, `${size} bytes`)
})

const listed = (positions: readonly number[], backward = false): Positions =>
  indexed((from, count) => {
    const behind = positions.filter((position) => (backward ? position <= from : position >= from))
    return (backward ? behind.reverse() : behind).slice(0, count)
  }, backward)

test('lists of positions are searched, united and intersected', () => {
  const even = Array.from({ length: 500 }, (_, i) => i * 2)
  const third = Array.from({ length: 300 }, (_, i) => i * 3)
  assert.equal(listed(even).seek(7), 8)
  assert.equal(listed(even, true).seek(7), 6)
  assert.equal(listed(even).seek(2000), undefined)
  assert.equal(union([listed(even), listed(third)], false).seek(3), 3)
  assert.equal(union([listed(even, true), listed(third, true)], true).seek(5), 4)
  const found: number[] = []
  const lists = [listed(even), listed(third)]
  for (let next = 0; ; ) {
    const candidate = agree(lists, next)
    if (candidate === undefined) break
    if (candidate.agreed) found.push(candidate.position)
    next = candidate.agreed ? candidate.position + 1 : candidate.position
  }
  assert.deepEqual(
    found,
    even.filter((position) => position % 3 === 0 && position < 900),
  )
})
