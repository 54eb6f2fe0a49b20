/** The specification of the visible prefix holds, and its mutant is refuted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refute, traces, withoutQuint } from '../support/model/quint.ts'

const path = 'src/store/visible-prefix.qnt'
const stepsMax = 20

test('no reader misses a position when writers hold the end of the log', { skip: withoutQuint }, async () => {
  const all = await traces(path, stepsMax)
  assert.ok(all.some((trace) => trace.some(({ action }) => action === 'read')))
})

test('a reader misses a position when writers take numbers like a sequence', { skip: withoutQuint }, async () => {
  await refute(path, 'nothingMissed', stepsMax)
})
