/** SPIN explores every order of all steps of two models, and refutes their mutants. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { leftOut } from '../support/size.ts'
import { explore, findSpin } from '../support/specifications/spin.ts'

const models = [
  { path: 'src/projection/checkpoint/lease-term-fence.pml', skip: undefined, violated: /hasPaid/ },
  { path: 'src/projection/rebuilding/switch.pml', skip: leftOut, violated: /retired/ },
]
const programs = await findSpin()

if ('missing' in programs) test('SPIN explores two models', { skip: programs.missing }, () => {})
else {
  for (const { path, skip, violated } of models) {
    describe(path, () => {
      test('no order of its steps breaks it, and some order reaches each line', { skip }, async (t) => {
        const found = await explore(programs, path, [])
        assert.equal(found.violated, undefined)
        assert.deepEqual(found.unreached, [])
        t.diagnostic(`${found.states} states`)
      })

      test('some order breaks its mutant', { skip: leftOut }, async () => {
        const found = await explore(programs, path, ['-DMUTANT'])
        assert.match(found.violated ?? 'nothing is violated', violated)
      })
    })
  }
}
