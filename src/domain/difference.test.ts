/** Comparing values with their JSON. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isItsJson, momentOf } from './difference.ts'

test('A text in UTC is read as Date.parse reads it', () => {
  const digit = fc.integer({ min: 0, max: 9 })
  const near = fc
    .tuple(fc.date({ noInvalidDate: true }), fc.integer({ min: 0, max: 22 }), digit)
    .map(([date, at, to]) => date.toISOString().slice(0, at) + to + date.toISOString().slice(at + 1))
  const texts = fc.oneof(
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    near,
    fc.string({ maxLength: 30 }).map((text) => `${text}Z`),
  )
  fc.assert(
    fc.property(texts, (text) => assert.ok(Object.is(momentOf(text), Date.parse(text)), text)),
    { numRuns: 20_000 },
  )
  for (const year of ['0000', '0001', '1899', '1900', '2000', '2023', '2024', '9999']) {
    for (const day of ['01-01', '02-28', '02-29', '02-31', '03-01', '12-31', '13-01', '00-10', '06-00']) {
      const text = `${year}-${day}T23:59:59.999Z`
      assert.ok(Object.is(momentOf(text), Date.parse(text)), text)
    }
  }
})

test('A text without a zone is not the JSON of a date', () => {
  assert.ok(isItsJson(new Date('2026-01-01T12:00:00Z'), '2026-01-01T12:00:00Z'))
  assert.ok(!isItsJson(new Date('2026-01-01T12:00:00'), '2026-01-01T12:00:00'))
  assert.ok(!isItsJson(new Date('2026-01-01'), '2026-01-01'))
  assert.ok(!isItsJson(new Date(1), '1970-01-01T00:00:00.000Z'))
})
