/** Which texts are valid ids. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkId } from './id.ts'

for (const id of [
  'a',
  ' ',
  'a/b',
  '%',
  '*',
  '>',
  '日本',
  '👩‍🚀',
  "'",
  '__proto__',
  '\n',
  'x'.repeat(1024),
  'é'.repeat(512),
  '𝄞'.repeat(256),
]) {
  test(`${JSON.stringify(id).slice(0, 20)} of ${id.length} characters is a good id`, () => {
    checkId('an id', id)
  })
}

const bad: Readonly<Record<string, readonly [unknown, RegExp]>> = {
  'an empty text': ['', /empty/],
  'a text of 1,025 bytes': ['x'.repeat(1025), /longer than 1024 bytes/],
  '513 letters of two bytes': ['é'.repeat(513), /longer than 1024 bytes/],
  '257 characters of four bytes': ['𝄞'.repeat(257), /longer than 1024 bytes/],
  '342 characters of three bytes': ['記'.repeat(342), /longer than 1024 bytes/],
  'a lone high surrogate': ['a\ud800', /surrogate/],
  'a lone low surrogate': ['\udc00b', /surrogate/],
  'a null character': ['a\0b', /null character/],
  'a number': [5, /number/],
  undefined: [undefined, /undefined/],
  'a record': [{}, /object/],
}

for (const [what, [id, reason]] of Object.entries(bad)) {
  test(`${what} is not an id`, () => {
    assert.throws(() => checkId('the id of a stream', id), { name: 'InputError', code: 'ID_INVALID', message: reason })
  })
}
