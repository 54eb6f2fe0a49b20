/** A program that looks for the first seed at which a run breaks a promise, and prints what it found. */

import { SimulationFailed } from '../../src/testing/index.ts'
import { scenarios } from '../support/simulation/scenarios.ts'

const seedsMax = Number(process.argv[2])

async function search(): Promise<object> {
  for (let seed = 1; seed <= seedsMax; seed++) {
    for (const { name, run } of scenarios) {
      try {
        await run(seed, 40)
      } catch (error) {
        if (error instanceof SimulationFailed)
          return { seed, scenario: name, broken: error.broken, actions: error.actions }
        return { seed, scenario: name, broken: `threw ${error}`, actions: 0 }
      }
    }
  }
  return { seed: undefined }
}

process.stdout.write(`${JSON.stringify(await search())}\n`)
