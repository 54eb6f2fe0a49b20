/** Each specification holds in random runs, and its mutant, which leaves out one rule, is refuted. */
import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { refute, traces, withoutQuint } from '../support/model/quint.ts'
import { specifications } from '../support/model/specifications.ts'
import { leftOut } from '../support/size.ts'

test('every specification is in the list', () => {
  const found = globSync('src/**/*.qnt', { cwd: join(import.meta.dirname, '../..') })
  assert.deepEqual(found.sort(), specifications.map(({ path }) => path).sort())
})

for (const specification of specifications) {
  describe(specification.path, () => {
    test('holds', { skip: withoutQuint }, async () => {
      const found = await traces(specification)
      assert.ok(found.every((trace) => trace.length > 1))
    })

    test(`is broken without this: ${specification.mutant.omits}`, { skip: withoutQuint ?? leftOut }, async () => {
      await refute(specification)
    })
  })
}
