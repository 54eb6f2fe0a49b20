import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomCommandId, randomId } from './random-id.ts'

const count = 5000

test('random ids are UUIDs of version 4, and all differ', () => {
  const ids = Array.from({ length: count }, randomId)
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(new Set(ids).size, count)
})

test('all other digits are random', () => {
  const ids = Array.from({ length: count }, randomId)
  const fixed = { 8: 1, 13: 1, 14: 1, 18: 1, 19: 4, 23: 1 } as Readonly<Record<number, number>>
  for (let place = 0; place < 36; place++) {
    const found = new Set(ids.map((id) => id[place]))
    assert.equal(found.size, fixed[place] ?? 16, `at ${place}`)
  }
})

test('the ids of commands contain six bits of each random byte of the platform', (t) => {
  const given: Buffer[] = []
  const fill = crypto.getRandomValues.bind(crypto)
  t.mock.method(crypto, 'getRandomValues', (array: Uint8Array) => {
    fill(array)
    given.push(Buffer.from(array))
    return array
  })
  const ids = Array.from({ length: count }, randomCommandId)
  assert.equal(new Set(ids).size, count)
  for (const id of ids) assert.match(id, /^~[\w-]{22}$/)
  const random = new Set(ids.map((id) => id.slice(11)))
  const bytes = Buffer.concat(given)
  const letters = [...'-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz']
  for (let start = 0; start + 16 <= bytes.length; start += 16) {
    random.delete(Array.from(bytes.subarray(start + 3, start + 15), (byte) => letters[byte & 63]).join(''))
  }
  // The first ids may use bytes that were drawn before.
  assert.ok(random.size < 4096)
})

test('the ids of commands are sorted by the time at which each go begins, to the millisecond', async (t) => {
  const times = [0, 1, 63, 64, 4095, 4096, 1_700_000_000_000, 1_700_000_000_001, 2 ** 42 - 1]
  const ids: string[] = []
  for (const now of times) {
    await Promise.resolve()
    t.mock.timers.reset()
    t.mock.timers.enable({ apis: ['Date'], now })
    ids.push(randomCommandId())
  }
  assert.deepEqual([...ids].sort(), ids)
  assert.equal(new Set(ids.map((id) => id.slice(0, 8))).size, times.length)
})

test('the ids of commands that are made in one go are sorted as they were made', () => {
  const ids = Array.from({ length: count }, randomCommandId)
  assert.deepEqual([...ids].sort(), ids)
})

test('the ids of commands are valid with any faked clock', async (t) => {
  for (const now of [-1, 0.5, 1_700_000_000_000.25, Number.NaN, 2 ** 50]) {
    await Promise.resolve()
    t.mock.method(Date, 'now', () => now)
    assert.match(randomCommandId(), /^~[\w-]{22}$/, `at ${now}`)
  }
})
