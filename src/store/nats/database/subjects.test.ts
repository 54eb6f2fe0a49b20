/** Every name becomes a token of its own that fits in a subject, and short ones come back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { lastTokenOf, nameOf, Subjects, tokenOf } from './subjects.ts'

const names = fc.string({ unit: 'binary', minLength: 1, maxLength: 400 }).filter((name) => name.isWellFormed())

test('a token has only characters without a meaning in subjects, and is short', () => {
  fc.assert(
    fc.property(names, (name) => {
      assert.match(tokenOf(name), /^[\w=~-]{1,203}$/)
    }),
  )
})

test('a name comes back from its token, if it is not long', () => {
  fc.assert(
    fc.property(names, (name) => {
      const back = nameOf(tokenOf(name))
      assert.ok(back === name || (back === undefined && Buffer.byteLength(name) > 60))
    }),
  )
  for (const name of ['a.b', '*', '>', ' ', '=', '~', '日本', 'a\nb', 'Ada', 'x'.repeat(200)]) {
    assert.equal(nameOf(tokenOf(name)), name)
  }
})

test('different names have different tokens', () => {
  const alike = ['a.b', 'a=2eb', 'a', 'A', 'é', 'e\u0301', '~', `~${'0'.repeat(64)}`, 'x'.repeat(201), 'x'.repeat(202)]
  assert.equal(new Set(alike.map(tokenOf)).size, alike.length)
})

test('the subject of a stream has a token for each part', () => {
  const subjects = new Subjects('mneme')
  assert.equal(subjects.stream({ aggregate: 'account', id: 'ada.1' }), 'mneme.e.account.ada=2e1')
  assert.equal(nameOf(lastTokenOf(subjects.stream({ aggregate: 'a', id: 'b c' }))), 'b c')
})
