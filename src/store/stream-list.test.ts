/** The ids of streams in memory: equal to a sorted list, however many there are and whatever begins meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StreamIds, streamsListedMax } from './stream-list.ts'

const idOf = (number: number) => `${(number * 7919) % 100_003}`.padStart(6, '0')
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i)

test('a page has 10,000 ids at most, and says where the next one begins', async () => {
  const streams = new StreamIds<string, number>(idOf)
  const all = numbers(25_000)
  const sorted = all.map(idOf).sort()
  const found: string[] = []
  const sizes: number[] = []
  for (let after: string | undefined; ; ) {
    const query = { limit: Number.POSITIVE_INFINITY, ...(after !== undefined && { after }) }
    const { ids, next } = await streams.list('a', query, () => all)
    found.push(...ids)
    sizes.push(ids.length)
    if (next === undefined) break
    after = next
  }
  assert.deepEqual(found, sorted)
  assert.deepEqual(sizes, [streamsListedMax, streamsListedMax, 5000])
  const { ids, next } = await streams.list('a', { limit: 10_000, after: sorted[14_999]! }, () => [])
  assert.deepEqual([ids.length, next], [10_000, undefined])
})

test('streams that begin while the ids are put in order have their place, once, and the event loop turns', async () => {
  const streams = new StreamIds<string, number>(idOf)
  const all = numbers(20_000)
  let turns = 0
  const listed = streams.list('a', { limit: 10 }, () => all).finally(() => (turns = -turns))
  for (const number of numbers(300, 20_000)) {
    await new Promise((resolve) => setImmediate(resolve))
    if (turns >= 0) turns++
    streams.add('a', number)
    streams.add('a', number)
    streams.add('b', number)
  }
  await listed
  assert.ok(turns < -3, `${-turns} turns`)
  const { ids } = await streams.list('a', { limit: 9999, after: '050000' }, () => [])
  const sorted = numbers(20_300).map(idOf).sort()
  assert.deepEqual(ids, sorted.filter((id) => id > '050000').slice(0, 9999))
  assert.deepEqual(await streams.list('b', { limit: 10 }, () => [1]), { ids: [idOf(1)] })
})
