/** When a commit is stored, and which commits no store accepts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Commit, commit, type Expected } from './commit.ts'
import { checkSizes } from './commit-size.ts'
import { isMet } from './expectation.ts'

const table: readonly (readonly [Expected, number, boolean])[] = [
  ['any', 0, true],
  ['any', 3, true],
  ['none', 0, true],
  ['none', 3, false],
  ['exists', 0, false],
  ['exists', 3, true],
  [0, 0, true],
  [0, 3, false],
  [3, 3, true],
  [2, 3, false],
  [4, 3, false],
]

for (const [expected, sequence, met] of table) {
  test(`${expected} is ${met ? '' : 'not '}met by a stream of ${sequence}`, () => {
    assert.equal(isMet(expected, sequence, false), met)
    assert.equal(isMet(expected, sequence, true), typeof expected !== 'number' && met)
  })
}

const made = (count: number, text: string): Commit =>
  commit({
    stream: { aggregate: 'a', id: 'b' },
    expected: 'any',
    id: 'c',
    recordedAt: 0,
    events: Array.from({ length: count }, () => ({ type: 'T', data: text })),
  })

test('a commit at the limits is accepted, one beyond them is not', () => {
  const { size } = made(3, 'text')
  const limits = { commitSizeMax: size, commitEventsMax: 3 }
  checkSizes([made(3, 'text'), made(1, '')], limits)
  assert.throws(() => checkSizes([made(1, ''), made(4, '')], limits), {
    code: 'COMMIT_TOO_LARGE',
    facts: { stream: { aggregate: 'a', id: 'b' }, measure: 'events', size: 4, sizeMax: 3 },
  })
  assert.throws(() => checkSizes([made(3, 'text!')], limits), {
    code: 'COMMIT_TOO_LARGE',
    message: /characters/,
  })
})

test('an object that commit has not made is refused', () => {
  const limits = { commitSizeMax: 1000, commitEventsMax: 3 }
  for (const forged of [undefined, {}, JSON.parse(JSON.stringify(made(1, '')))])
    assert.throws(() => checkSizes([forged as Commit], limits), { code: 'OPTION_INVALID' })
})
