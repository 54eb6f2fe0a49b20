import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { runMutated } from '../support/simulation/mutated-copy.ts'
import { sized } from '../support/size.ts'
import { plantedBugs } from './planted-bugs.ts'

/** What the program prints that looks for a bug. */
interface Found {
  readonly seed?: number
  readonly scenario: string
  readonly broken: string
}

const seedsMax = 200
const page = readFileSync(new URL('../../docs/testing.md', import.meta.url), 'utf8')
const chosen = plantedBugs.slice(0, sized(plantedBugs.length, 2))

describe('The simulator finds the planted bug that', () => {
  for (const bug of chosen) {
    test(bug.name, async (context) => {
      const mutation = { ...bug, file: `src/${bug.file}` }
      const { from = 1 } = bug
      const range = [`${from}`, `${from + seedsMax}`]
      const printed = await runMutated(mutation, 'test/simulation/find-bug.fixture.ts', range)
      const { seed, scenario, broken } = JSON.parse(printed) as Found
      assert.ok(seed !== undefined, `no run of ${seedsMax} seeds breaks a promise`)
      context.diagnostic(`seed ${seed} of ${scenario}: ${broken}`)
    })
  }
})

test('Each planted bug replaces a text that stands once in its file', () => {
  for (const { name, file, find } of plantedBugs) {
    const text = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8')
    assert.equal(text.split(find).length - 1, 1, `${file}, for: ${name}`)
  }
})

test('docs/testing.md lists every planted bug, and no other', () => {
  const rows = Array.from(page.matchAll(/^\| (.*?) \| (?:seats|transfers) \|/gm), ([, name]) => name)
  assert.deepEqual(rows.sort(), plantedBugs.map(({ name }) => name).sort())
})
