/** Which data counts as the same if an id is used a second time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { treeOf } from '../domain/personal-fields.ts'
import { digestOf, digestWithin } from './digest.ts'

/** Asserts that all of these have different digests. */
function areOthers(...values: readonly unknown[]): void {
  assert.equal(new Set(values.map((value) => digestOf({ value }))).size, values.length)
}

test('the same JSON has the same digest', () => {
  assert.equal(
    digestOf({ a: 1, b: [new Date(0), -0] }),
    digestOf({ b: ['1970-01-01T00:00:00.000Z', 0], a: 1, c: undefined }),
  )
})

test('values that differ in one part have different digests', () => {
  areOthers(1, '1', [1], { a: 1 }, { a: 2 }, { b: 1 }, null, true, 1n, [], {}, '', new Map(), new Map([[1, 2]]))
  areOthers([1, 2], [2, 1], [[1], 2], [1, [2]])
})

test('bytes differ by each byte, by their number, and by the type of the list', () => {
  const bytes = new Uint8Array(1000).fill(7)
  const changed = [0, 1, 500, 998, 999].map((at) => bytes.with(at, 8))
  areOthers(bytes, ...changed, bytes.subarray(1), new Uint8Array(1004).fill(7))
  areOthers(bytes, bytes.buffer, new DataView(bytes.buffer), new Uint16Array(bytes.buffer), [...bytes])
  assert.equal(digestOf(bytes), digestOf(Buffer.from(bytes)))
  assert.equal(digestOf(bytes.subarray(3, 9)), digestOf(new Uint8Array(6).fill(7)))
})

test('fields that are left out count for the size only, wherever they are', () => {
  const data = (secret: string) => ({
    id: '1',
    email: secret,
    tags: [{ note: secret, of: 'a' }],
    address: { toJSON: () => ({ city: secret, country: 'GB' }) },
  })
  const without = treeOf(['email', 'tags.note', 'address.city'])
  const digest = (secret: string, sizeMax = 1000) => digestWithin(data(secret), sizeMax, without)
  const rest = { id: '1', tags: [{ of: 'a' }], address: { country: 'GB' } }
  assert.equal(digest('a@b.org'), digest('somebody else'))
  assert.equal(digest('a@b.org'), digestOf(rest))
  assert.notEqual(digest('a@b.org'), digestOf({ ...rest, id: '2' }))
  assert.equal(digest('a'.repeat(400), 1000), 'large')
})
