/** The layout of a commit, and its size in bytes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BSON } from 'mongodb'
import { type Commit, commit, type OfferedEvent } from '../../commit.ts'
import {
  bytesOf,
  type CommitDocument,
  type CommitPlace,
  checkBytes,
  checkHeaders,
  documentBytesMax,
  documentOf,
  eventsOf,
  WrittenCommit,
} from './commit-document.ts'

const made = (events: readonly OfferedEvent[], id = 'c') =>
  commit({ stream: { aggregate: 'account', id: 'ada' }, expected: 'any', id, recordedAt: 5, events })

const large: CommitPlace = {
  position: Number.MAX_SAFE_INTEGER - 5000,
  from: Number.MAX_SAFE_INTEGER - 5000,
  number: Number.MAX_SAFE_INTEGER - 5000,
  previous: 2 ** 32 - 1,
}
const placed = (of: Commit, place: Partial<CommitPlace> = {}): CommitDocument<bigint> => {
  const written = new WrittenCommit(of)
  return documentOf(written.headerAt({ position: 7, from: 1, number: 7, previous: 5, ...place }), written.content)
}

/** A document as a server returns it. */
const throughBson = (document: CommitDocument<bigint>): CommitDocument =>
  BSON.deserialize(BSON.serialize(document)) as unknown as CommitDocument

test('a document is never larger than its calculated size, and not much smaller', () => {
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
    const commit = made(events)
    const actual = BSON.calculateObjectSize(placed(commit, large))
    const said = bytesOf(new WrittenCommit(commit))
    assert.ok(said >= actual, `${said} said, ${actual} found`)
    assert.ok(said <= actual * 1.5 + 300, `${said} said, ${actual} found`)
  }
})

test('positions, sequences and times are int64, from the first bit to the last', () => {
  const document = placed(made([{ type: 'A', data: 1 }]), { position: Number.MAX_SAFE_INTEGER, from: 2 ** 40 })
  const raw = BSON.deserialize(BSON.serialize(document), { useBigInt64: true })
  for (const field of ['_id', 'from', 'number', 'previous', 'recordedAt', 'sum', 'checksum'])
    assert.equal(typeof raw[field], 'bigint', field)
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
  assert.throws(() => checkBytes(made(types)), { ...error, message: new RegExp(`at most ${documentBytesMax}`) })
})

test('a document with any change is refused with its position', () => {
  const whole = throughBson(placed(made([{ type: 'A', data: { n: 1 }, tags: ['t'] }])))
  const read = (document: CommitDocument) =>
    checkHeaders([document], 'mongodb').flatMap((each) => eventsOf(each, 'mongodb'))
  assert.equal(read(whole).length, 1)
  const damages: readonly object[] = [
    ...['aggregate', 'id', 'commitId', 'events'].map((field) => ({ [field]: 'x' })),
    ...['_id', 'from', 'count', 'number', 'previous', 'recordedAt', 'format', 'sum', 'checksum'].map((field) => ({
      [field]: whole[field as 'count'] + 1,
    })),
    ...[{ types: ['B'] }, { types: [] }, { tags: ['u'] }, { tags: undefined }, { command: { name: 'c', digest: 1 } }],
    ...[
      { events: '[{' },
      { events: 5 },
      { events: null },
      { from: '1' },
      { id: undefined },
      { sum: null },
      { types: null },
    ],
    ...[{ command: 5 }, { command: 'c' }, { events: whole.events.replace('1', '2') }],
  ]
  for (const damage of damages) {
    const error = { code: 'STORE_CORRUPT', message: '_id' in damage ? /position 8/ : /position 7/ }
    assert.throws(() => read({ ...whole, ...damage }), error, JSON.stringify(damage))
  }
})

test('the same commit at the same place always has the same checksum', () => {
  const commit = made([{ type: 'A', data: { n: 1 }, metadata: { by: 'é' }, tags: ['t'] }])
  assert.equal(Number(placed(commit).checksum), 2580698876)
  const others = [placed(commit, { position: 8 }), placed(commit, { from: 2 }), placed(commit, { previous: 6 })]
  assert.equal(new Set([placed(commit), ...others].map(({ checksum }) => checksum)).size, 4)
})
