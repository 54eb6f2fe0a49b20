/** The layout of a commit, and that what is said of its size holds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BSON } from 'mongodb'
import { commit, type OfferedEvent } from '../commit.ts'
import { bytesOf, type CommitDocument, checkBytes, documentBytesMax, documentOf, eventsOf } from './commit-document.ts'

const made = (events: readonly OfferedEvent[], id = 'c') =>
  commit({ stream: { aggregate: 'account', id: 'ada' }, expected: 'any', id, recordedAt: 5, events })

/** A document as it comes back from a server. */
const throughBson = (document: CommitDocument<bigint>): CommitDocument =>
  BSON.deserialize(BSON.serialize(document)) as unknown as CommitDocument

test('a document is never larger than it is said to be, and not much smaller', () => {
  const wide = 'é'.repeat(512)
  const tags = Array.from({ length: 40 }, (_, i) => `${i}${wide.slice(0, 500)}`)
  for (const events of [
    [{ type: 'A', data: null }],
    [
      {
        type: wide,
        data: { '\u0001': '\u0001\ud800"'.repeat(1000), 日本: '𝄞'.repeat(100) },
        metadata: { '"': '\\' },
        tags,
      },
    ],
    Array.from({ length: 2000 }, (_, i) => ({ type: `T${i}`, data: i, tags: [`t${i}`], revision: i + 1 })),
  ]) {
    const document = documentOf(made(events), Number.MAX_SAFE_INTEGER - 5000, Number.MAX_SAFE_INTEGER - 5000)
    const actual = BSON.calculateObjectSize(document)
    assert.ok(bytesOf(document) >= actual, `${bytesOf(document)} said, ${actual} found`)
    assert.ok(bytesOf(document) <= actual * 1.5 + 300, `${bytesOf(document)} said, ${actual} found`)
  }
})

test('positions, sequences and times are int64, from the first bit to the last', () => {
  const document = documentOf(made([{ type: 'A', data: 1 }]), Number.MAX_SAFE_INTEGER, 2 ** 40)
  const raw = BSON.deserialize(BSON.serialize(document), { useBigInt64: true })
  for (const field of ['_id', 'from', 'recordedAt']) assert.equal(typeof raw[field], 'bigint', field)
  const [event] = eventsOf(throughBson(document), 'mongodb')
  assert.equal(event!.position, Number.MAX_SAFE_INTEGER)
  assert.equal(event!.sequence, 2 ** 40)
})

test('a commit whose text fits but whose bytes do not is refused with its size', () => {
  const fits = (text: string) => checkBytes(made([{ type: 'A', data: text }]))
  fits('x'.repeat(7_999_000))
  fits('日'.repeat(5_000_000))
  const error = { code: 'COMMIT_TOO_LARGE' }
  assert.throws(() => fits('日'.repeat(5_400_000)), error)
  assert.throws(() => fits('\u0001'.repeat(2_700_000)), error)
  const types = Array.from({ length: 9000 }, (_, i) => ({ type: `${i}${'t'.repeat(1000)}`, data: null }))
  assert.throws(() => checkBytes(made(types)), { ...error, message: new RegExp(`takes ${documentBytesMax}`) })
})

test('a text that is no JSON is reported with its position', () => {
  const document = { ...throughBson(documentOf(made([{ type: 'A', data: 1 }]), 7, 1)), events: '[{' }
  assert.throws(() => eventsOf(document, 'mongodb'), { code: 'STORE_CORRUPT', message: /position 7/ })
})
