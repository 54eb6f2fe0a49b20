import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runMutated } from '../support/simulation/mutated-copy.ts'
import { sized } from '../support/size.ts'
import { plantedBugs } from './planted-bugs.ts'

/** What the program prints that looks for a bug. */
interface Found {
  readonly seed?: number
  readonly broken: string
  readonly actions: number
}

const seedsMax = 150
const chosen = plantedBugs.slice(0, sized(plantedBugs.length, 2))

describe('The simulator finds the planted bug that', () => {
  for (const bug of chosen) {
    test(bug.name, async (context) => {
      const mutation = { ...bug, file: `src/${bug.file}` }
      const printed = await runMutated(mutation, 'test/simulation/find-bug.fixture.ts', [`${seedsMax}`])
      const { seed, broken, actions } = JSON.parse(printed) as Found
      assert.ok(seed !== undefined, `no run of ${seedsMax} seeds breaks a promise`)
      context.diagnostic(`seed ${seed}: ${broken}, in ${actions} actions`)
    })
  }
})
