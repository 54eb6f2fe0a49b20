/**
 * The mutant of each specification, which leaves out one rule, is refuted. The tests beside this one show that the
 * specifications hold, and that the library does what they say.
 */
import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { leftOut } from '../support/size.ts'
import { refute, withoutQuint } from '../support/specifications/quint.ts'
import { specifications } from '../support/specifications/specifications.ts'

test('every specification is in the list', () => {
  const found = globSync('src/**/*.qnt', { cwd: join(import.meta.dirname, '../..') })
  assert.deepEqual(found.sort(), specifications.map(({ path }) => path).sort())
})

describe('the specification does not hold without this rule', { skip: withoutQuint ?? leftOut }, () => {
  for (const specification of specifications) {
    test(`${specification.path}: ${specification.mutant.omits}`, () => refute(specification))
  }
})
