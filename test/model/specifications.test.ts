/**
 * The mutant of each specification, which leaves out one rule, is refuted. The specifications hold in random runs.
 * Those that have a test beside this one are also replayed on the library.
 */
import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { refute, traces, withoutQuint } from '../support/model/quint.ts'
import { blueGreenSwitch, specifications } from '../support/model/specifications.ts'
import { leftOut } from '../support/size.ts'

test('every specification is in the list', () => {
  const found = globSync('src/**/*.qnt', { cwd: join(import.meta.dirname, '../..') })
  assert.deepEqual(found.sort(), specifications.map(({ path }) => path).sort())
})

describe('the specification holds', { skip: withoutQuint }, () => {
  for (const specification of [blueGreenSwitch]) {
    test(specification.path, async () => {
      const found = await traces(specification)
      assert.ok(found.every((trace) => trace.length > 1))
    })
  }
})

describe('the specification does not hold without this rule', { skip: withoutQuint ?? leftOut }, () => {
  for (const specification of specifications) {
    test(`${specification.path}: ${specification.mutant.omits}`, () => refute(specification))
  }
})
