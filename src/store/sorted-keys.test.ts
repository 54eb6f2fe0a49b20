/** Keys stay in order, whatever is added and deleted between two requests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SortedKeys } from './sorted-keys.ts'

test('the list equals a plain sort, after any changes', () => {
  let state = 5
  const next = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
  const present = new Set<string>()
  const keys = new SortedKeys()
  for (let round = 0; round < 400; round++) {
    for (let changes = next(round % 10 === 0 ? 300 : 12); changes > 0; changes--) {
      const key = `key ${next(200)}`
      if (present.delete(key)) keys.delete(key)
      else {
        present.add(key)
        keys.add(key)
      }
    }
    assert.deepEqual(keys.list(present), [...present].sort())
  }
})

test('a few changes cost no pass over all keys', () => {
  const present = new Set(Array.from({ length: 1000 }, (_, i) => `${1000 + i}`))
  const keys = new SortedKeys()
  keys.list(present)
  keys.delete('1500')
  keys.add('1500')
  keys.add('1500 and more')
  const nobody = {
    [Symbol.iterator]: () => {
      throw new Error('the keys were asked for')
    },
  }
  assert.equal(keys.list(nobody)[501], '1500 and more')
})
