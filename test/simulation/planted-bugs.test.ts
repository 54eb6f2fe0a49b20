import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { bugTableOf } from '../support/simulation/bug-table.ts'
import { findBug, seedsMax } from '../support/simulation/find-bug.ts'
import { plantedBugs } from '../support/simulation/planted-bugs.ts'
import { sized } from '../support/size.ts'

const table = bugTableOf(readFileSync(new URL('../../docs/testing.md', import.meta.url), 'utf8'))

describe('The simulator finds the planted bug that', () => {
  // A change of the library changes what a seed does, so the run of the table need not find it any more.
  for (const bug of plantedBugs.slice(0, sized(plantedBugs.length, 2))) {
    test(bug.name, async (context) => {
      const found = await findBug(bug, table.get(bug.name))
      assert.ok(found !== undefined, `no run of ${seedsMax} seeds breaks a promise`)
      context.diagnostic(`seed ${found.seed} of ${found.scenario}: ${found.broken}`)
    })
  }
})

test('The smallest runs that show planted bugs have at most 15 steps, at the median', async (context) => {
  const own = plantedBugs.filter(({ name }) => table.get(name)?.scenario === 'transfers').slice(0, sized(5, 1))
  const sizes: number[] = []
  for (const bug of own) sizes.push((await findBug(bug, table.get(bug.name), true))!.actions)
  context.diagnostic(sizes.join(' '))
  assert.ok(sizes.sort((a, b) => a - b)[Math.floor(sizes.length / 2)]! <= 15, sizes.join(' '))
})

test('Each planted bug replaces a text that stands once in its file', () => {
  for (const { name, file, find } of plantedBugs) {
    const text = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8')
    assert.equal(text.split(find).length - 1, 1, `${file}, for: ${name}`)
  }
})

test('docs/testing.md lists every planted bug, and no other', () => {
  assert.deepEqual(
    [...table.keys()],
    plantedBugs.map(({ name }) => name),
  )
  for (const { seed } of table.values()) assert.ok(seed <= seedsMax)
})
