import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wordsOf } from './errors.ts'

test('Whatever is thrown has words', () => {
  const odd = Object.assign(new Error('text'), { message: Object.create(null) as string })
  for (const [thrown, words] of [
    [new Error('text'), 'text'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [Object.assign(new Error(''), { message: 5n }), '5'],
    [Object.create(null), 'an error without a message'],
    [odd, 'an error without a message'],
  ] as const) {
    assert.equal(wordsOf(thrown), words)
  }
})
